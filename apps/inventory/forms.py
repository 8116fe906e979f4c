"""What people may say about servers and credential profiles. Rights are the services' business."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.bmc import Secret
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import has_everywhere, scope_filter
from apps.core.text import visible_text_validate
from apps.inventory.addresses import address_clean, networks_clean
from apps.inventory.choices import PrivilegeChoice, SuiteChoice
from apps.inventory.models import CredentialProfile, Server
from apps.inventory.secret_rules import USERNAME_BYTES, secret_clean, username_clean
from apps.inventory.services import ServerFacts
from apps.inventory.services.profiles import ProfileFacts
from apps.inventory.services.servers import profile_choices

NAME_LENGTH: Final = 64

StoredT = TypeVar("StoredT")


def _try(form: forms.Form, call: Callable[[], StoredT]) -> StoredT | None:
    """Call a service; what it refuses becomes sentences at the fields, and None."""
    try:
        return call()
    except ValidationError as error:
        form.add_error(None, error)
    except IntegrityError:
        form.add_error(
            None, _("Somebody stored the same name or address at this moment. Look again.")
        )
    return None


def _name_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Name"),
        max_length=NAME_LENGTH,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class ServerForm(forms.Form):
    name = _name_field()
    cluster = forms.ModelChoiceField(
        Cluster.objects.none(),
        label=gettext_lazy("Cluster"),
        empty_label=gettext_lazy("No cluster"),
    )
    site = forms.ModelChoiceField(
        Site.objects.all(),
        label=gettext_lazy("Site"),
        help_text=gettext_lazy("The workers of this site talk to the BMC."),
    )
    address = forms.CharField(
        label=gettext_lazy("BMC address"),
        max_length=253,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    port = forms.IntegerField(label=gettext_lazy("Port"), min_value=1, max_value=65535, initial=623)
    profile = forms.ModelChoiceField(
        CredentialProfile.objects.none(),
        label=gettext_lazy("Credential profile"),
        required=False,
        empty_label=gettext_lazy("None: the BMC is not read"),
        help_text=gettext_lazy("The account with which the portal logs in to the BMC."),
    )
    suite = forms.ChoiceField(
        label=gettext_lazy("Cipher suite"), choices=SuiteChoice.choices, initial=SuiteChoice.AUTO
    )

    def __init__(self, data: Any = None, *, actor: User, server: Server | None = None) -> None:
        super().__init__(data, initial=_server_initial(server) if server else None)
        self.server = server
        clusters = self._field("cluster")
        clusters.queryset = Cluster.objects.filter(scope_filter(actor, Role.OPERATOR, "pk"))
        clusters.required = not has_everywhere(actor, Role.OPERATOR)
        if clusters.required:
            clusters.empty_label = _("Choose a cluster")
        self._field("profile").queryset = profile_choices(actor, server)
        if server is None and (sites := list(Site.objects.all()[:2])) and len(sites) == 1:
            self.initial["site"] = sites[0]

    def _field(self, name: str) -> forms.ModelChoiceField[Any]:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  narrows the type
        return field

    def clean_address(self) -> str:
        return address_clean(self.cleaned_data["address"])

    def store(self, call: Callable[[ServerFacts], StoredT]) -> StoredT | None:
        """Hand what was typed to a service; None and errors at the fields when it refuses."""
        if self.server is None:
            facts = ServerFacts(**self.cleaned_data)
        else:
            facts = dataclasses.replace(ServerFacts.of(self.server), **self.cleaned_data)
        return _try(self, lambda: call(facts))


def _server_initial(server: Server) -> dict[str, Any]:
    bmc = server.bmc
    return {
        "name": server.name,
        "cluster": server.cluster_id,
        "site": bmc.site_id,
        "address": bmc.address,
        "port": bmc.port,
        "profile": bmc.profile_id,
        "suite": bmc.suite,
    }


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


class ProfileForm(forms.Form):
    """Secrets go in and are never rendered back; an empty password keeps the stored one."""

    name = _name_field()
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
        super().__init__(data, initial=_profile_initial(profile) if profile else None)
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

    def store(self, call: Callable[[ProfileParts], StoredT]) -> StoredT | None:
        """Hand what was typed to a service; None and errors at the fields when it refuses."""
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
        return _try(self, lambda: call(parts))


def _profile_initial(profile: CredentialProfile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "username": profile.username,
        "networks": "\n".join(profile.networks),
        "privilege": profile.privilege,
        "is_open_everywhere": profile.is_open_everywhere,
        "clusters": list(profile.clusters.values_list("pk", flat=True)),
    }
