"""How servers, racks, BMCs and profiles are told; all is selected before, nothing queries here."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api_fields import Named
from apps.core.faults import fault_of
from apps.inventory.choices import (
    PRIVILEGE_WORD_CHOICES,
    PRIVILEGE_WORDS,
    Power,
    PrivilegeChoice,
    Protocol,
    SuiteChoice,
    Transition,
)
from apps.inventory.models import Bmc, CredentialProfile, Rack, Server, ServerStatus


class FaultSerializer(serializers.Serializer[Any]):
    """Why a state is not known. `code` is for programs, the rest for people."""

    code = serializers.CharField()
    title = serializers.CharField()
    cause = serializers.CharField()
    next_step = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)


def fault_told(code: str, params: dict[str, Any], since: Any) -> dict[str, Any] | None:
    """Return a stored fault in words, or None where there is none."""
    if not code:
        return None
    fault = fault_of(code, params)
    return {
        "code": fault.code,
        "title": fault.title,
        "cause": fault.cause,
        "next_step": fault.next_step,
        "since": since,
    }


class PowerSerializer(serializers.Serializer[ServerStatus]):
    """What was last read. `unknown` is never off: `fault` says why nothing can be read."""

    state = serializers.ChoiceField(Power.choices, source="power")
    read_at = serializers.DateTimeField(source="power_read_at", allow_null=True)
    last_state = serializers.ChoiceField(
        Power.choices, source="last_power", help_text="What was read last, while it is unknown."
    )
    fault = serializers.SerializerMethodField()
    transition = serializers.SerializerMethodField()
    transition_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(FaultSerializer(allow_null=True))
    def get_fault(self, status: ServerStatus) -> dict[str, Any] | None:
        told = fault_told(status.fault, status.fault_params, status.fault_at)
        return None if told is None else dict(FaultSerializer(told).data)

    @extend_schema_field(
        serializers.ChoiceField([one for one in Transition.choices if one[0]], allow_null=True)
    )
    def get_transition(self, status: ServerStatus) -> str | None:
        """What an open job does to it."""
        return status.transition or None


class PlaceSerializer(serializers.Serializer[Server]):
    site = Named(source="bmc.site")
    rack = Named(allow_null=True)
    rack_unit = serializers.IntegerField(allow_null=True, help_text="The lowest one it fills.")
    unit_count = serializers.IntegerField()


class ProtectionSerializer(serializers.Serializer[Server]):
    is_protected = serializers.BooleanField(help_text="No power command is sent, on any path.")
    reason = serializers.CharField(source="protected_reason")


class ServerBmcSerializer(serializers.Serializer[Bmc]):
    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="inventory_api:bmc_detail")
    address = serializers.CharField()
    port = serializers.IntegerField()
    protocol = serializers.ChoiceField(Protocol.choices)
    suite = serializers.ChoiceField(SuiteChoice.choices)
    workarounds = serializers.ListField(child=serializers.CharField())
    profile = Named(allow_null=True)
    vendor = serializers.CharField()
    product = serializers.CharField()
    firmware = serializers.CharField()
    seen_serial = serializers.CharField(help_text="As the BMC reports it.")
    guid = serializers.CharField(help_text="Read at the first login; the server's identity.")


class ServerSerializer(serializers.Serializer[Server]):
    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="inventory_api:server_detail")
    version = serializers.IntegerField()
    name = serializers.CharField()
    asset_tag = serializers.CharField()
    serial = serializers.CharField()
    model = serializers.CharField()
    cluster = Named(allow_null=True)
    tags = serializers.SerializerMethodField()
    notes = serializers.CharField()
    custom_fields = serializers.DictField()
    place = PlaceSerializer(source="*")
    protection = ProtectionSerializer(source="*")
    power = PowerSerializer(source="status")
    bmc = ServerBmcSerializer()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_tags(self, server: Server) -> list[str]:
        return [tag.name for tag in server.tags.all()]


class ServerMadeSerializer(serializers.Serializer[Server]):
    """One of many that were stored at once."""

    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="inventory_api:server_detail")
    version = serializers.IntegerField()
    name = serializers.CharField()


class ServersMadeSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    results = ServerMadeSerializer(many=True)


class ReadAskedSerializer(serializers.Serializer[Any]):
    """It will be read within seconds; the server's `power.read_at` says when it was."""

    server = ServerMadeSerializer()
    is_refused_password_tried_again = serializers.BooleanField()


class BmcSerializer(ServerBmcSerializer):
    site = Named()
    servers = serializers.SerializerMethodField()

    @extend_schema_field(Named(many=True))
    def get_servers(self, bmc: Bmc) -> list[dict[str, Any]]:
        """Those of its servers that this person sees (the view prefetches no others)."""
        return [{"id": server.pk, "name": server.name} for server in bmc.servers.all()]


class RackSerializer(serializers.Serializer[Rack]):
    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="inventory_api:rack_detail")
    version = serializers.IntegerField()
    site = Named()
    name = serializers.CharField()
    units = serializers.IntegerField()
    feeds = serializers.ListField(child=serializers.CharField())
    notes = serializers.CharField()
    updated_at = serializers.DateTimeField()


class ProfileSerializer(serializers.Serializer[CredentialProfile]):
    """Without its secrets: they go to BMCs inside `networks` and nowhere else."""

    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="inventory_api:profile_detail")
    version = serializers.IntegerField()
    name = serializers.CharField()
    username = serializers.CharField()
    has_kg = serializers.SerializerMethodField()
    privilege = serializers.SerializerMethodField()
    networks = serializers.ListField(child=serializers.CharField())
    is_open_everywhere = serializers.BooleanField()
    clusters = Named(many=True)
    updated_at = serializers.DateTimeField()

    def get_has_kg(self, profile: CredentialProfile) -> bool:
        return bool(profile.sealed_kg)

    @extend_schema_field(serializers.ChoiceField(PRIVILEGE_WORD_CHOICES))
    def get_privilege(self, profile: CredentialProfile) -> str:
        return PRIVILEGE_WORDS[PrivilegeChoice(profile.privilege)]


class AuditedSerializer(serializers.Serializer[Any]):
    """What somebody did. The values before and after are for admins."""

    action = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField()
    changed = serializers.ListField(child=serializers.CharField())
    job = serializers.IntegerField(allow_null=True)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class StateChangedSerializer(serializers.Serializer[Any]):
    """What was read, when it was not what had been read before."""

    before = serializers.ChoiceField(Power.choices)
    after = serializers.ChoiceField(Power.choices)
    fault = FaultSerializer(allow_null=True)


class HappeningSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(["audit", "state"])
    audit = AuditedSerializer(allow_null=True)
    state = StateChangedSerializer(allow_null=True)
