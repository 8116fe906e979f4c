from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.text import visible_text_validate
from apps.power.choices import IDENTIFY_SECONDS, MOST_IDENTIFY_SECONDS


def _reason() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason (kept in the audit log)"),
        max_length=500,
        required=False,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class PowerForm(forms.Form):
    """The confirmation of one power order. `request_key` makes a second press the same order."""

    request_key = forms.UUIDField(widget=forms.HiddenInput)
    escalate = forms.BooleanField(
        required=False,
        help_text=gettext_lazy(
            "Your rights, the protection and the state are looked at again then. Until then it can "
            "be called off on the server's page."
        ),
    )
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
    reason = _reason()

    def __init__(
        self,
        data: Any = None,
        *,
        name_to_type: str = "",
        why_typed: str = "",
        escalation_after: str = "",
    ) -> None:
        """:param escalation_after: in words; empty: the power may not be cut afterwards."""
        super().__init__(data, initial={"request_key": uuid.uuid4()})
        self.name_to_type = name_to_type
        self.is_name_conditional = bool(escalation_after)
        if escalation_after:
            self.fields["escalate"].label = _("If it is still on after %(time)s, cut the power") % {
                "time": escalation_after
            }
        else:
            del self.fields["escalate"]
        if name_to_type:
            self._ask_for_name(why_typed)
        else:
            del self.fields["typed_name"]

    def _ask_for_name(self, why: str) -> None:
        field = self.fields["typed_name"]
        field.widget.attrs["data-must-be"] = self.name_to_type
        if self.is_name_conditional:
            pattern = _("Type %(name)s to confirm that the power may be cut")
            field.widget.attrs.pop("data-focus")  # the soft off itself needs no name
        else:
            pattern = _("Type %(name)s to confirm")
            field.required = True
        field.label = pattern % {"name": self.name_to_type}
        if why:
            field.label = f"{field.label}. {why}"

    def clean_typed_name(self) -> str:
        typed: str = self.cleaned_data["typed_name"]
        is_needed = self.cleaned_data.get("escalate") or not self.is_name_conditional
        if is_needed and typed != self.name_to_type:
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


class IdentifyForm(forms.Form):
    seconds = forms.IntegerField(min_value=0, max_value=MOST_IDENTIFY_SECONDS, required=False)

    @property
    def wanted_seconds(self) -> int:
        """What was asked for, else the usual time."""
        seconds = self.cleaned_data["seconds"]
        return IDENTIFY_SECONDS if seconds is None else int(seconds)


class MachineForm(forms.Form):
    """Which machine is accepted: the one that was shown."""

    guid = forms.CharField(max_length=32, required=False, widget=forms.HiddenInput)
    serial = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)
    reason = _reason()
