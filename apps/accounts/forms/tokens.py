from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.accounts.services.tokens import LONGEST_DAYS
from apps.audit.forms import errors_put
from apps.clusters.choices import Role
from apps.core.text import visible_text_validate

DoneT = TypeVar("DoneT")


class TokenForm(forms.Form):
    """A new API token. It may do nothing but read unless somebody says otherwise."""

    name = forms.CharField(
        label=_("Name"),
        max_length=64,
        validators=[visible_text_validate],
        help_text=_("What it is for, such as “nightly reboot”."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(
        label=_("May do at most"),
        help_text=_("It never does more than this, nor more than you may yourself at the time."),
    )
    days = forms.IntegerField(
        label=_("Days until it expires"), min_value=1, max_value=LONGEST_DAYS, initial=30
    )

    def __init__(self, data: Any = None, *, roles: list[Role]) -> None:
        super().__init__(data, initial={"role": Role.READONLY})
        field: Any = self.fields["role"]
        field.choices = [(role.value, role.label) for role in roles]

    @property
    def status(self) -> int:
        """The code with which this form is shown."""
        return 422 if self.is_bound else 200

    def attempt(self, call: Callable[[], DoneT]) -> DoneT | None:
        """Call a service; when it refuses, None, and the reasons are in the form."""
        try:
            return call()
        except ValidationError as error:
            errors_put(self, error)
        return None
