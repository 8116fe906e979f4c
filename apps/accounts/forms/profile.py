"""What people say about themselves."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from functools import cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.forms.people import email_field, name_field
from apps.accounts.models import User
from apps.accounts.services.people import ProfileFacts, profile_told
from apps.accounts.words import LANGUAGES, PERSON_WORDS, THEMES
from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=[("", ""), ("light", ""), ("dark", "")], required=False)


@cache
def time_zones() -> tuple[str, ...]:
    """Return the names of every time zone; reading their files takes a moment."""
    return tuple(sorted(zoneinfo.available_timezones() - {"localtime", "Factory", "posixrules"}))


class ProfileForm(VersionedForm):
    """One's own account."""

    saved_by = "accounts."

    name = name_field()
    email = email_field()
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[("", gettext_lazy("As the browser asks")), *LANGUAGES.items()],
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        max_length=64,
        widget=forms.TextInput(
            attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=gettext_lazy("Such as Europe/Berlin or Asia/Shanghai. Empty: UTC."),
    )
    theme = forms.ChoiceField(
        label=gettext_lazy("Theme"), required=False, choices=list(THEMES.items())
    )

    def __init__(self, data: Any = None, *, person: User) -> None:
        super().__init__(data, row=person, initial=profile_told(person))

    def clean_time_zone(self) -> str:
        """Names are found however they are written: europe/berlin is Europe/Berlin."""
        typed: str = self.cleaned_data["time_zone"]
        known = {name.casefold(): name for name in time_zones()}
        if not typed:
            return ""
        found = known.get(typed.casefold().replace(" ", "_"))
        if found is None:
            raise ValidationError(_("No time zone has this name. Choose one of the list."))
        return found

    def words(self) -> Words:
        return PERSON_WORDS

    def told_now(self, current: Any) -> Told:
        return profile_told(current)

    def store(self, call: Callable[[ProfileFacts], User]) -> User | None:
        typed = dict(self.cleaned_data)
        typed.pop("version")
        facts = ProfileFacts(**typed)
        return self.attempt(lambda: call(facts), facts.told())
