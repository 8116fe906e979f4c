from __future__ import annotations

import json
from typing import Any, Final

from django import forms
from django.contrib.auth.forms import UsernameField
from django.utils.translation import gettext_lazy as _

SAME_SENTENCE: Final = _(
    "Name or password is not right. After 10 wrong tries there is a pause of 15 min."
)
"""Whether the name is unknown, the password wrong, or the account switched off."""
LONGEST_PASSWORD: Final = 1024


def password_input(autocomplete: str) -> forms.PasswordInput:
    """Return a widget that never sends a password back, whatever happened."""
    return forms.PasswordInput(render_value=False, attrs={"autocomplete": autocomplete})


def code_input() -> forms.TextInput:
    attrs = {"autocomplete": "one-time-code", "spellcheck": "false", "maxlength": "32"}
    return forms.TextInput(attrs=attrs)


class SignInForm(forms.Form):
    username = UsernameField(
        label=_("User name"),
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=password_input("current-password"),
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=32,
        widget=code_input(),
        help_text=_("6 digits of your app, or one of your recovery codes."),
    )


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=password_input("current-password"),
    )


class AnswerField(forms.CharField):
    """JSON of any shape, bounded; who reads it judges what is inside."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> Any:
        try:
            return json.loads(super().clean(value))
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("It cannot be read.")) from error


class KeyForm(forms.Form):
    """What a security key answered; JavaScript fills it in."""

    credential = AnswerField(max_length=20_000)
