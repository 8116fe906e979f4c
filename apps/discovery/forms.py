"""The fields of the server form that say how a BMC is reached."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.clusters.models import Site
from apps.discovery.models import ConnectionTest
from apps.discovery.services import connection_test_order
from apps.inventory.addresses import address_clean
from apps.inventory.choices import SuiteChoice, Workaround
from apps.inventory.models import CredentialProfile, Server
from apps.inventory.services import ServerFacts
from apps.inventory.services.servers import profile_choices

WORKAROUNDS_TYPED: Final = "typed_workarounds"
"""Sent by a form that has boxes for workarounds: boxes that are not ticked send nothing."""


class ConnectionTestForm(forms.Form):
    """What was typed so far; what the page has no field for is as it is stored."""

    site = forms.ModelChoiceField(Site.objects.all(), label=gettext_lazy("Site"))
    address = forms.CharField(label=gettext_lazy("BMC address"), max_length=253)
    port = forms.IntegerField(label=gettext_lazy("Port"), min_value=1, max_value=65535)
    profile = forms.ModelChoiceField(
        CredentialProfile.objects.none(),
        label=gettext_lazy("Credential profile"),
        error_messages={
            "required": gettext_lazy("Choose a profile: without one nothing is sent to the BMC.")
        },
    )
    suite = forms.ChoiceField(label=gettext_lazy("Cipher suite"), choices=SuiteChoice.choices)
    workarounds = forms.MultipleChoiceField(
        label=gettext_lazy("Workarounds"), choices=Workaround.choices, required=False
    )

    def __init__(self, data: QueryDict, *, actor: User, server: Server | None = None) -> None:
        super().__init__(_with_stored(data, server))
        self._actor = actor
        self._server = server
        profiles = self.fields["profile"]
        assert isinstance(profiles, forms.ModelChoiceField)  # noqa: S101  narrows the type
        profiles.queryset = profile_choices(actor, server)

    def clean_address(self) -> str:
        return address_clean(self.cleaned_data["address"])

    def clean_workarounds(self) -> tuple[str, ...]:
        return tuple(self.cleaned_data["workarounds"])

    def order(self) -> ConnectionTest | None:
        """Order the test; None and errors at the fields when it is refused."""
        if not self.is_valid():
            return None
        server, typed = self._server, self.cleaned_data
        if server is None:
            facts = ServerFacts(name="", cluster=None, **typed)
        else:
            facts = dataclasses.replace(ServerFacts.of(server), **typed)
        try:
            return connection_test_order(actor=self._actor, facts=facts, server=server)
        except ValidationError as error:
            self.add_error(None, error)
        return None


def _with_stored(data: QueryDict, server: Server | None) -> QueryDict:
    filled = data.copy()
    if server is None:
        return filled
    bmc = server.bmc
    stored: dict[str, Any] = {
        "site": bmc.site_id,
        "address": bmc.address,
        "port": bmc.port,
        "profile": bmc.profile_id or "",
        "suite": bmc.suite,
    }
    for name, value in stored.items():
        filled.setdefault(name, str(value))
    if WORKAROUNDS_TYPED not in data and "workarounds" not in data:
        known = [word for word in bmc.workarounds if word in Workaround.values]
        filled.setlist("workarounds", known)
    return filled
