"""What admins say about a rack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words
from apps.clusters.models import Site
from apps.inventory.forms.base import LinesField, WordsField, name_field
from apps.inventory.models import Rack
from apps.inventory.models.racks import MOST_UNITS
from apps.inventory.services.racks import FEED_LENGTH, MOST_FEEDS, RackFacts
from apps.inventory.words import RACK_WORDS


class RackForm(VersionedForm):
    """Add or edit a rack. Fields are called as the facts that services speak of."""

    saved_by = "inventory.rack."

    site = forms.ModelChoiceField(Site.objects.all(), label=RACK_WORDS.labels["site"])
    name = name_field()
    units = forms.IntegerField(
        label=RACK_WORDS.labels["units"], min_value=1, max_value=MOST_UNITS, initial=42
    )
    feeds = WordsField(
        label=RACK_WORDS.labels["feeds"],
        max_length=MOST_FEEDS * (FEED_LENGTH + 2),
        help_text=gettext_lazy("In their order, separated by commas, such as “A · PDU 7, B”."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    notes = LinesField(label=RACK_WORDS.labels["notes"])

    def __init__(self, data: Any = None, *, rack: Rack | None = None) -> None:
        known = None
        if rack is not None:
            known = RackFacts.of(rack).told() | {
                "site": rack.site_id,
                "feeds": ", ".join(rack.feeds),
            }
        super().__init__(data, row=rack, initial=known)
        if rack is None and (sites := list(Site.objects.all()[:2])) and len(sites) == 1:
            self.initial["site"] = sites[0]

    def words(self) -> Words:
        return RACK_WORDS

    def told_now(self, current: Any) -> Told:
        return RackFacts.of(current).told()

    def store(self, call: Callable[[RackFacts], Rack]) -> Rack | None:
        """Hand what was typed to a service; None, and the reasons, when it refuses."""
        typed = {name: self.cleaned_data[name] for name in RACK_WORDS.labels}
        facts = RackFacts(**typed)
        return self.attempt(lambda: call(facts), facts.told())
