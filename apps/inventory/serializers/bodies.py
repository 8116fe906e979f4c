"""What may be said about servers, racks and profiles over REST; the shape of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from apps.bmc import Secret
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import clusters_visible, sites_visible
from apps.core.api_fields import (
    Body,
    Choice,
    Flag,
    Items,
    LongText,
    Number,
    Reference,
    Text,
    Values,
    django_validator,
)
from apps.inventory.addresses import address_clean, networks_clean
from apps.inventory.choices import (
    PRIVILEGE_WORD_CHOICES,
    PRIVILEGE_WORDS,
    PrivilegeChoice,
    Protocol,
    SuiteChoice,
)
from apps.inventory.models import CredentialProfile, Rack, Server
from apps.inventory.models.racks import MOST_UNITS
from apps.inventory.secret_rules import USERNAME_BYTES, secret_clean, username_clean
from apps.inventory.services.facts import MOST_TAGS, ServerFacts
from apps.inventory.services.profiles import ProfileFacts
from apps.inventory.services.racks import RackFacts
from apps.inventory.services.servers import profile_choices

Context = Mapping[str, Any]
MOST_FEEDS: Final = 8

FACT_PATHS: Final[dict[str, str]] = {
    "site": "place.site",
    "rack": "place.rack",
    "rack_unit": "place.rack_unit",
    "unit_count": "place.unit_count",
    "is_protected": "protection.is_protected",
    "protected_reason": "protection.reason",
    "address": "bmc.address",
    "port": "bmc.port",
    "protocol": "bmc.protocol",
    "suite": "bmc.suite",
    "workarounds": "bmc.workarounds",
    "profile": "bmc.profile",
}


def fact_path(name: str) -> str:
    """Return where a fact of `ServerFacts` stands in bodies and answers."""
    if name.startswith("custom."):
        return f"custom_fields.{name.removeprefix('custom.')}"
    return FACT_PATHS.get(name, name)


def _clusters(context: Context) -> QuerySet[Cluster]:
    return clusters_visible(context["request"].user)


def _sites(context: Context) -> QuerySet[Site]:
    return sites_visible(context["request"].user)


def _racks(context: Context) -> QuerySet[Rack]:
    return Rack.objects.visible_to(context["request"].user).select_related("site")


def _profiles(context: Context) -> QuerySet[CredentialProfile]:
    found: QuerySet[CredentialProfile] = profile_choices(
        context["request"].user, context.get("row")
    )
    return found


class PlaceBody(Body):
    site = Reference(_sites)
    rack = Reference(_racks, required=False, allow_null=True)
    rack_unit = Number(required=False, allow_null=True, min_value=1, max_value=MOST_UNITS)
    unit_count = Number(required=False, min_value=1, max_value=MOST_UNITS)


class ProtectionBody(Body):
    is_protected = Flag(required=False)
    reason = Text(required=False, allow_blank=True, max_length=200, source="protected_reason")


class ServerBmcBody(Body):
    told = frozenset({"id", "url", "vendor", "product", "firmware", "seen_serial", "guid"})

    address = Text(max_length=253)
    port = Number(required=False, min_value=1, max_value=65535)
    protocol = Choice(Protocol.choices, required=False)
    suite = Choice(SuiteChoice.choices, required=False)
    workarounds = Items(
        child=serializers.RegexField(
            r"^[a-z0-9_]{1,32}\Z",
            error_messages={"invalid": gettext_lazy("A word of a-z, 0-9 and _ is expected.")},
        ),
        required=False,
        max_length=16,
    )
    profile = Reference(_profiles, required=False, allow_null=True)

    def validate_address(self, address: str) -> str:
        return django_validator(address_clean, address)


class ServerBody(Body):
    """A server as it is read. What the portal reads from the BMC is passed over."""

    told = frozenset({"id", "url", "power", "created_at", "updated_at"})

    version = Number(required=False, min_value=1, help_text="The version that was read.")
    name = Text(max_length=64)
    asset_tag = Text(required=False, allow_blank=True, max_length=64)
    serial = Text(required=False, allow_blank=True, max_length=64)
    model = Text(required=False, allow_blank=True, max_length=64)
    cluster = Reference(_clusters, required=False, allow_null=True)
    tags = Items(
        child=Text(max_length=32), required=False, max_length=MOST_TAGS, help_text="Words."
    )
    notes = LongText(required=False, allow_blank=True, max_length=4000)
    custom_fields = Values(required=False, help_text="PATCH merges; null takes a value away.")
    place = PlaceBody()
    protection = ProtectionBody(required=False)
    bmc = ServerBmcBody()


class ServerChangeBody(ServerBody):
    """One of many changes: the id, and what changes."""

    told = ServerBody.told - {"id"}

    id = Number(min_value=1, max_value=2**63 - 1)


def facts_flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a server's body says, by the names of `ServerFacts`."""
    flat = dict(body)
    for group in ("place", "protection", "bmc"):
        flat |= flat.pop(group, {})
    if "tags" in flat:
        flat["tags"] = tuple(sorted(set(flat["tags"])))
    if "workarounds" in flat:
        flat["workarounds"] = tuple(dict.fromkeys(flat["workarounds"]))
    for name in ("version", "id"):
        flat.pop(name, None)
    return flat


def facts_new(body: Mapping[str, Any]) -> ServerFacts:
    """Return the facts of a whole body: what is left out takes its default."""
    return ServerFacts(**{"cluster": None, "port": 623, "profile": None} | facts_flat(body))


def facts_changed(server: Server, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that a partial body changes; custom fields are merged."""
    flat = facts_flat(body)
    if "custom_fields" in flat:
        flat["custom_fields"] = {**server.custom_fields, **flat["custom_fields"]}
    return flat


class RackBody(Body):
    told = frozenset({"id", "url", "updated_at"})

    version = Number(required=False, min_value=1, help_text="The version that was read.")
    site = Reference(_sites)
    name = Text(max_length=64)
    units = Number(required=False, min_value=1, max_value=MOST_UNITS)
    feeds = Items(child=Text(max_length=16), required=False, max_length=MOST_FEEDS)
    notes = LongText(required=False, allow_blank=True, max_length=4000)


def rack_flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rack's body says, by the names of `RackFacts`."""
    flat = {name: value for name, value in body.items() if name != "version"}
    if "feeds" in flat:
        flat["feeds"] = tuple(flat["feeds"])
    return flat


def rack_new(body: Mapping[str, Any]) -> RackFacts:
    return RackFacts(**rack_flat(body))


class PrivilegeField(Choice):
    """The words of IPMI, stored as its numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(PRIVILEGE_WORD_CHOICES, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        word = super().to_internal_value(data)
        return next(int(number) for number, known in PRIVILEGE_WORDS.items() if known == word)


class SecretText(Text):
    """A secret on its way in. It is wrapped at once, and is in no message."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            write_only=True, trim_whitespace=False, style={"input_type": "password"}, **kwargs
        )

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return Secret(django_validator(secret_clean, data))

    def run_validators(self, value: Any) -> None:
        """Those of texts cannot look into it; `secret_clean` did."""


class ProfileBody(Body):
    """Secrets go in and never come out; without a password the stored one stays."""

    told = frozenset({"id", "url", "has_kg", "updated_at"})

    version = Number(required=False, min_value=1, help_text="The version that was read.")
    name = Text(max_length=64)
    username = Text(max_length=USERNAME_BYTES)
    password = SecretText(required=False, help_text="At most 20 bytes. Never read again.")
    kg = SecretText(
        required=False, allow_null=True, help_text="The BMC key; stored with the password."
    )
    privilege = PrivilegeField(required=False)
    networks = Items(
        child=Text(max_length=60),
        max_length=100,
        help_text="The secrets are sent to BMCs inside these networks only.",
    )
    is_open_everywhere = Flag(required=False)
    clusters = Items(child=Reference(_clusters), required=False, max_length=500)

    def validate_name(self, name: str) -> str:
        others = CredentialProfile.objects.filter(name=name)
        if (row := self.context.get("row")) is not None:
            others = others.exclude(pk=row.pk)
        if others.exists():
            raise serializers.ValidationError(_("Another profile has this name."))
        return name

    def validate_username(self, username: str) -> str:
        return django_validator(username_clean, username)

    def validate_networks(self, networks: list[str]) -> list[str]:
        try:
            return networks_clean(networks)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("password"):
            if attrs.get("kg"):
                words = _("Type the password too: both are stored together.")
                raise serializers.ValidationError({"password": words})
            if self.context.get("row") is None:
                raise serializers.ValidationError({"password": _("A new profile needs one.")})
        return attrs


def profile_facts(
    body: Mapping[str, Any], profile: CredentialProfile | None
) -> tuple[ProfileFacts, list[Cluster]]:
    """Return what a body says; what is left out stays as in `profile`, or takes its default."""
    told: dict[str, Any] = {
        "privilege": int(PrivilegeChoice.OPERATOR),
        "is_open_everywhere": False,
        "clusters": [],
    }
    if profile is not None:
        told = {
            "name": profile.name,
            "username": profile.username,
            "privilege": profile.privilege,
            "networks": profile.networks,
            "is_open_everywhere": profile.is_open_everywhere,
            "clusters": list(profile.clusters.all()),
        }
    told |= {name: value for name, value in body.items() if name in PROFILE_FACTS}
    clusters = told.pop("clusters")
    return ProfileFacts(**told), clusters


PROFILE_FACTS: Final = frozenset(
    {"name", "username", "privilege", "networks", "is_open_everywhere", "clusters"}
)
