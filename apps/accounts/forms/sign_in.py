from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _

_SAME_SENTENCE = _(
    "Name or password is not right. After 10 wrong tries there is a pause of 15 min."
)


class SignInForm(AuthenticationForm):
    """Name and password; one sentence whether the name is unknown, wrong or switched off."""

    error_messages = {"invalid_login": _SAME_SENTENCE, "inactive": _SAME_SENTENCE}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name, password = self.fields["username"], self.fields["password"]
        name.label = _("User name")
        name.widget.attrs |= {"autocomplete": "username", "spellcheck": "false"}
        password.label = _("Password")
        # Never sent back, whatever happened.
        password.widget = forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "current-password"}
        )
