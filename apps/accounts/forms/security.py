from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.utils.translation import gettext_lazy as _

from apps.accounts.forms.sign_in import LONGEST_PASSWORD, KeyForm, code_input, password_input


class PasswordChangeForm(SetPasswordForm):  # type: ignore[type-arg]  # not generic at run time
    """The password of now, and twice the new one."""

    password = forms.CharField(
        label=_("Password now"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=password_input("current-password"),
    )
    field_order = ("password", "new_password1", "new_password2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        new, again = self.fields["new_password1"], self.fields["new_password2"]
        new.label, again.label = _("New password"), _("New password again")
        new.help_text = _("At least 12 characters, and not one of those that many people use.")
        again.help_text = ""
        for field in (new, again):
            field.widget = password_input("new-password")

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        new = found.get("new_password1")
        if new and new == found.get("password"):
            self.add_error("new_password1", _("This is the password of now. Choose another one."))
        if new and len(new) > LONGEST_PASSWORD:
            self.add_error("new_password1", _("At most 1,024 characters."))
        return found


class AppForm(forms.Form):
    code = forms.CharField(
        label=_("Code"), max_length=32, widget=code_input(), help_text=_("6 digits of the app.")
    )


class KeyAddForm(KeyForm):
    name = forms.CharField(
        label=_("Name of the key"),
        max_length=60,
        help_text=_("So that you know it again: where it is, or what it looks like."),
    )
