"""Invitations, the links that people get, and how they come in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.forms.people import RoleFields, email_field, name_field, username_field
from apps.accounts.models import Invitation, User
from apps.accounts.services.invitations import LONGEST_DAYS, Offer
from apps.accounts.services.people import PersonFacts
from apps.audit.forms import VersionedForm
from apps.clusters.choices import Role
from apps.core.text import visible_text_validate


class InvitationForm(RoleFields, VersionedForm):
    """Whom the link is for, and what it gives."""

    name = forms.CharField(
        label=gettext_lazy("For"),
        max_length=150,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("As you call them; they choose their own name."),
    )
    email = email_field()
    days = forms.IntegerField(
        label=gettext_lazy("Days until it expires"), min_value=1, max_value=LONGEST_DAYS, initial=3
    )

    field_order = ("name", "email", "role", "where", "clusters", "days")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        role = self.fields["role"]
        role.required = True
        role.choices = Role.choices  # type: ignore[attr-defined]  # a choice field
        self.initial["role"] = Role.READONLY

    @property
    def offer(self) -> Offer:
        typed = self.cleaned_data
        return Offer(
            name=typed["name"],
            email=typed["email"],
            role=Role(typed["role"]),
            is_everywhere=self.is_everywhere,
            clusters=typed["clusters"],
            days=typed["days"],
        )


class NewPasswordForm(VersionedForm):
    """A password that nobody else has typed."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "At least 12 characters, and not one of those that many people use."
        ),
    )
    again = forms.CharField(
        label=gettext_lazy("Password again"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, data: Any = None, *, person: User | None = None) -> None:
        super().__init__(data)
        self.person = person

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        password, again = typed.get("password"), typed.get("again")
        if password and again and password != again:
            self.add_error("again", _("Both passwords have to be the same."))
        elif password:
            try:
                validate_password(password, self.whose())
            except ValidationError as error:
                self.add_error("password", error)
        return typed

    def whose(self) -> User | None:
        """Return the person, to whose name the password must not be similar."""
        return self.person


class AcceptForm(NewPasswordForm):
    """What a person who was invited says about themselves."""

    name = name_field()
    username = username_field("username")

    field_order = ("name", "username", "password", "again")

    def __init__(self, data: Any = None, *, invitation: Invitation) -> None:
        super().__init__(data)
        self.invitation = invitation
        self.initial["name"] = invitation.name

    @property
    def facts(self) -> PersonFacts:
        typed = self.cleaned_data
        return PersonFacts(typed["username"], typed["name"], self.invitation.email)

    def whose(self) -> User:
        typed = self.cleaned_data
        return User(
            username=typed.get("username", ""),
            first_name=typed.get("name", ""),
            email=self.invitation.email,
        )
