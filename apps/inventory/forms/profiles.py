"""What admins say about a credential profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words
from apps.bmc import Secret
from apps.clusters.models import Cluster
from apps.inventory.addresses import networks_clean
from apps.inventory.choices import PrivilegeChoice
from apps.inventory.forms.base import name_field
from apps.inventory.models import CredentialProfile
from apps.inventory.secret_rules import USERNAME_BYTES, secret_clean, username_clean
from apps.inventory.services.profiles import ProfileFacts, profile_told
from apps.inventory.words import PROFILE_WORDS


@dataclass(frozen=True, slots=True)
class ProfileParts:
    """A validated profile form; the secrets are wrapped at once."""

    facts: ProfileFacts
    clusters: list[Cluster]
    password: Secret | None
    kg: Secret | None

    def for_create(self) -> dict[str, Any]:
        return {
            "facts": self.facts,
            "clusters": self.clusters,
            "password": self.password,
            "kg": self.kg,
        }

    for_update = for_create


class ProfileForm(VersionedForm):
    """Secrets go in and are never rendered back; an empty password keeps the stored one."""

    saved_by = "inventory.profile."

    name = name_field()
    username = forms.CharField(
        label=gettext_lazy("BMC user name"),
        max_length=USERNAME_BYTES,
        error_messages={
            "required": gettext_lazy(
                "Without a name it would be the null user, which anybody may guess. "
                "Use an account of its own."
            )
        },
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("At most 20 bytes. Nobody can read it here again."),
    )
    kg = forms.CharField(
        label=gettext_lazy("BMC key (Kg)"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Only if one is set on the BMCs. At most 20 bytes."),
    )
    networks = forms.CharField(
        label=gettext_lazy("Networks"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One a line, like 10.0.4.0/24. The password is sent to BMCs inside them and nowhere "
            "else."
        ),
    )
    privilege = forms.TypedChoiceField(
        label=gettext_lazy("Privilege"),
        coerce=int,
        choices=PrivilegeChoice.choices,
        initial=PrivilegeChoice.OPERATOR,
        help_text=gettext_lazy("Operator is enough for reading and for power."),
    )
    is_open_everywhere = forms.BooleanField(
        label=gettext_lazy("Every operator may use it"), required=False
    )
    clusters = forms.ModelMultipleChoiceField(
        Cluster.objects.all(),
        label=gettext_lazy("Operators of these clusters may use it"),
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )

    def __init__(self, data: Any = None, *, profile: CredentialProfile | None = None) -> None:
        known = _profile_initial(profile) if profile else None
        super().__init__(data, row=profile, initial=known)
        self.profile = profile
        if profile is not None:
            password = self.fields["password"]
            password.required = False
            password.help_text = _("Empty keeps the stored one. At most 20 bytes.")
            self.fields["kg"].help_text = _(
                "Stored together with the password: a new password without a key removes the key."
            )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = CredentialProfile.objects.filter(name=name)
        if self.profile is not None:
            others = others.exclude(pk=self.profile.pk)
        if others.exists():
            raise ValidationError(_("Another profile has this name."))
        return name

    def clean_username(self) -> str:
        return username_clean(self.cleaned_data["username"])

    def clean_password(self) -> str:
        return secret_clean(self.cleaned_data["password"])

    def clean_kg(self) -> str:
        return secret_clean(self.cleaned_data["kg"])

    def clean_networks(self) -> list[str]:
        lines: str = self.cleaned_data["networks"]
        return networks_clean(lines.replace(",", "\n").splitlines())

    def clean(self) -> dict[str, Any]:
        facts = self.cleaned_data
        if facts.get("kg") and not facts.get("password") and "password" not in self.errors:
            self.add_error("password", _("Type the password too: both are stored together."))
        return facts

    def words(self) -> Words:
        return PROFILE_WORDS

    def told_now(self, current: Any) -> Told:
        return profile_told(current)

    def store(self, call: Callable[[ProfileParts], CredentialProfile]) -> CredentialProfile | None:
        """Hand what was typed to a service; None, and the reasons, when it refuses."""
        typed = self.cleaned_data
        facts = ProfileFacts(
            name=typed["name"],
            username=typed["username"],
            privilege=typed["privilege"],
            networks=typed["networks"],
            is_open_everywhere=typed["is_open_everywhere"],
        )
        password = Secret(typed["password"]) if typed["password"] else None
        kg = Secret(typed["kg"]) if typed["kg"] else None
        parts = ProfileParts(facts, list(typed["clusters"]), password, kg)
        yours = facts.told(parts.clusters)
        if password is not None:
            yours["password"] = _("a new one, not kept: type it again")
        return self.attempt(lambda: call(parts), yours)


def _profile_initial(profile: CredentialProfile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "username": profile.username,
        "networks": "\n".join(profile.networks),
        "privilege": profile.privilege,
        "is_open_everywhere": profile.is_open_everywhere,
        "clusters": list(profile.clusters.values_list("pk", flat=True)),
    }
