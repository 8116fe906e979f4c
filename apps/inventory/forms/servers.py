"""Everything that is said about one server, its place and its BMC."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import has_everywhere, scope_filter
from apps.inventory.addresses import address_clean
from apps.inventory.choices import Protocol, SuiteChoice, Workaround
from apps.inventory.forms.base import (
    LinesField,
    RackField,
    TagsField,
    field_model,
    line_field,
    name_field,
)
from apps.inventory.forms.custom_values import value_field, value_initial, value_name, values_of
from apps.inventory.models import CredentialProfile, CustomField, Rack, Server
from apps.inventory.models.racks import MOST_UNITS
from apps.inventory.services import ServerFacts
from apps.inventory.services.facts import LENGTHS
from apps.inventory.services.servers import profile_choices
from apps.inventory.words import SERVER_LABELS, server_words

FACTS: Final = (
    "name", "cluster", "model", "serial", "asset_tag", "tags", "notes", "site", "rack",
    "rack_unit", "unit_count", "address", "port", "protocol", "suite", "workarounds",
    "profile",     "is_protected", "protected_reason",
)  # fmt: skip


class ServerForm(VersionedForm):
    """Add or edit a server. Fields are called as the facts that services speak of."""

    saved_by = "inventory.server."

    name = name_field()
    cluster = forms.ModelChoiceField(
        Cluster.objects.none(),
        label=SERVER_LABELS["cluster"],
        empty_label=gettext_lazy("No cluster"),
    )
    model = line_field(SERVER_LABELS["model"])
    serial = line_field(SERVER_LABELS["serial"], is_mono=True)
    asset_tag = line_field(SERVER_LABELS["asset_tag"], is_mono=True)
    tags = TagsField(
        label=SERVER_LABELS["tags"],
        help_text=gettext_lazy("Words by which it is found, separated by commas."),
    )
    notes = LinesField(label=SERVER_LABELS["notes"])
    site = forms.ModelChoiceField(
        Site.objects.all(),
        label=SERVER_LABELS["site"],
        help_text=gettext_lazy("The workers of this site talk to the BMC."),
    )
    rack = RackField()
    rack_unit = forms.IntegerField(
        label=SERVER_LABELS["rack_unit"], required=False, min_value=1, max_value=MOST_UNITS
    )
    unit_count = forms.IntegerField(
        label=SERVER_LABELS["unit_count"],
        required=False,
        min_value=1,
        max_value=MOST_UNITS,
        initial=1,
        help_text=gettext_lazy("Empty counts as one."),
    )
    address = forms.CharField(
        label=SERVER_LABELS["address"],
        max_length=253,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    port = forms.IntegerField(label=gettext_lazy("Port"), min_value=1, max_value=65535, initial=623)
    protocol = forms.ChoiceField(
        label=SERVER_LABELS["protocol"],
        choices=Protocol.choices,
        required=False,
        initial=Protocol.IPMI,
    )
    suite = forms.ChoiceField(
        label=SERVER_LABELS["suite"], choices=SuiteChoice.choices, initial=SuiteChoice.AUTO
    )
    workarounds = forms.MultipleChoiceField(
        label=SERVER_LABELS["workarounds"],
        choices=Workaround.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text=gettext_lazy("Only for BMCs that cannot be logged in to without."),
    )
    profile = forms.ModelChoiceField(
        CredentialProfile.objects.none(),
        label=SERVER_LABELS["profile"],
        required=False,
        empty_label=gettext_lazy("None: the BMC is not read"),
        help_text=gettext_lazy("The account with which the portal logs in to the BMC."),
    )
    is_protected = forms.BooleanField(
        label=gettext_lazy("Protected: no power command is sent, on any path"), required=False
    )
    protected_reason = line_field(
        gettext_lazy("Why it is protected"),
        most=LENGTHS["protected_reason"],
        help_text=gettext_lazy("Everybody reads it who wants to power this server."),
    )

    def __init__(self, data: Any = None, *, actor: User, server: Server | None = None) -> None:
        self.definitions = list(CustomField.objects.all())
        super().__init__(data, row=server, initial=self._known(server) if server else None)
        self.server = server
        for definition in self.definitions:
            self.fields[value_name(definition)] = value_field(definition)
        clusters = field_model(self, "cluster")
        clusters.queryset = Cluster.objects.filter(scope_filter(actor, Role.OPERATOR, "pk"))
        clusters.required = not has_everywhere(actor, Role.OPERATOR)
        if clusters.required:
            clusters.empty_label = _("Choose a cluster")
        field_model(self, "profile").queryset = profile_choices(actor, server)
        field_model(self, "rack").queryset = Rack.objects.visible_to(actor)
        if server and server.is_protected and not has_everywhere(actor, Role.ADMIN):
            self.fields["is_protected"].help_text = _("Only an admin lifts the protection.")
        if server is None and (sites := list(Site.objects.all()[:2])) and len(sites) == 1:
            self.initial["site"] = sites[0]

    def _known(self, server: Server) -> dict[str, Any]:
        facts = ServerFacts.of(server)
        known = {name: getattr(facts, name) for name in FACTS}
        for definition in self.definitions:
            known[value_name(definition)] = value_initial(definition, facts.custom_fields)
        return known | {"tags": ", ".join(facts.tags)}

    @property
    def custom(self) -> list[forms.BoundField]:
        """The fields that this organisation added."""
        return [self[value_name(definition)] for definition in self.definitions]

    def words(self) -> Words:
        return server_words()

    def told_now(self, current: Any) -> Told:
        return ServerFacts.of(current).told()

    def clean_address(self) -> str:
        return address_clean(self.cleaned_data["address"])

    def clean_protocol(self) -> str:
        return self.cleaned_data["protocol"] or str(Protocol.IPMI)

    def clean_workarounds(self) -> tuple[str, ...]:
        return tuple(self.cleaned_data["workarounds"])

    def clean_unit_count(self) -> int:
        return self.cleaned_data["unit_count"] or 1

    def clean(self) -> dict[str, Any]:
        typed = self.cleaned_data
        if not typed.get("is_protected"):
            typed["protected_reason"] = ""  # a reason for nothing is no fact
        return typed

    def store(self, call: Callable[[ServerFacts], Server]) -> Server | None:
        """Hand what was typed to a service; None, and the reasons, when it refuses."""
        typed = {name: self.cleaned_data[name] for name in FACTS}
        typed["custom_fields"] = values_of(self.definitions, self.cleaned_data)
        if self.server is None:
            facts = ServerFacts(**typed)
        else:
            facts = dataclasses.replace(ServerFacts.of(self.server), **typed)
        return self.attempt(lambda: call(facts), facts.told())
