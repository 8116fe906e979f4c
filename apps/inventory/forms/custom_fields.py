"""What admins say about a custom field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words
from apps.inventory.choices import CustomFieldKind
from apps.inventory.forms.base import LinesField, line_field
from apps.inventory.models import CustomField
from apps.inventory.services.custom_fields import LABEL_LENGTH, MOST_OPTIONS, CustomFieldFacts
from apps.inventory.services.facts import TEXT_LENGTH
from apps.inventory.words import CUSTOMFIELD_WORDS


class CustomFieldForm(VersionedForm):
    """Define or change a field. Fields are called as the facts that services speak of."""

    saved_by = "inventory.customfield."

    label = line_field(CUSTOMFIELD_WORDS.labels["label"], required=True, most=LABEL_LENGTH)
    key = forms.SlugField(
        label=CUSTOMFIELD_WORDS.labels["key"],
        max_length=32,
        help_text=gettext_lazy(
            "Letters, digits, hyphens and underscores. Scripts know the field by it, so it stays."
        ),
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )
    kind = forms.ChoiceField(
        label=CUSTOMFIELD_WORDS.labels["kind"], choices=CustomFieldKind.choices
    )
    options = LinesField(
        label=CUSTOMFIELD_WORDS.labels["options"],
        max_length=MOST_OPTIONS * (TEXT_LENGTH + 2),
        help_text=gettext_lazy("One a line; only for “One of a list”."),
        rows=4,
    )
    position = forms.IntegerField(
        label=CUSTOMFIELD_WORDS.labels["position"],
        min_value=0,
        max_value=999,
        initial=0,
        help_text=gettext_lazy("Low numbers stand first."),
    )

    def __init__(self, data: Any = None, *, field: CustomField | None = None) -> None:
        known = None
        if field is not None:
            known = CustomFieldFacts.of(field).told() | {"options": "\n".join(field.options)}
        super().__init__(data, row=field, initial=known)
        if field is not None:
            self.fields["key"].disabled = True

    def words(self) -> Words:
        return CUSTOMFIELD_WORDS

    def told_now(self, current: Any) -> Told:
        return CustomFieldFacts.of(current).told()

    def clean_options(self) -> tuple[str, ...]:
        lines = (line.strip() for line in self.cleaned_data["options"].split("\n"))
        return tuple(filter(None, lines))

    def store(self, call: Callable[[CustomFieldFacts], CustomField]) -> CustomField | None:
        """Hand what was typed to a service; None, and the reasons, when it refuses."""
        typed = {name: self.cleaned_data[name] for name in CUSTOMFIELD_WORDS.labels}
        facts = CustomFieldFacts(**typed)
        return self.attempt(lambda: call(facts), facts.told())
