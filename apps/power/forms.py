from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.text import visible_text_validate


class PowerForm(forms.Form):
    """The confirmation of one power order. `request_key` makes a second press the same order."""

    request_key = forms.UUIDField(widget=forms.HiddenInput)
    typed_name = forms.CharField(
        max_length=64,
        required=False,
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "data-focus": "",
            }
        ),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (kept in the audit log)"),
        max_length=500,
        required=False,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, name_to_type: str = "") -> None:
        super().__init__(data, initial={"request_key": uuid.uuid4()})
        self.name_to_type = name_to_type
        if name_to_type:
            self.fields["typed_name"].label = _("Type %(name)s to confirm") % {"name": name_to_type}
            self.fields["typed_name"].required = True
        else:
            del self.fields["typed_name"]

    def clean_typed_name(self) -> str:
        typed: str = self.cleaned_data["typed_name"]
        if typed != self.name_to_type:
            raise ValidationError(_("That is not the name of this server. Nothing has been sent."))
        return typed

    def clean(self) -> dict[str, Any]:
        if "request_key" in self.errors:
            self.renew()
            self.add_error(
                None, _("The form came without its key. Nothing has been sent. Confirm again.")
            )
        return self.cleaned_data

    def renew(self) -> None:
        """Give the form a new key: the next press is a new order."""
        self.data = {**self.data, "request_key": str(uuid.uuid4())}
