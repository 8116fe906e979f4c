"""What servers, racks, profiles and custom fields say in the audit and in differences, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.audit.words import Label, Told, Words
from apps.inventory.choices import CustomFieldKind, PrivilegeChoice, Protocol, SuiteChoice
from apps.inventory.models import CustomField, Server

SERVER_LABELS: Final[dict[str, Label]] = {
    "name": _("Name"),
    "cluster": _("Cluster"),
    "model": _("Model"),
    "serial": _("Serial number"),
    "asset_tag": _("Asset tag"),
    "tags": _("Tags"),
    "notes": _("Notes"),
    "site": _("Site"),
    "rack": _("Rack"),
    "rack_unit": _("Lowest unit"),
    "unit_count": _("Height in units"),
    "address": _("BMC address"),
    "port": _("Port"),
    "protocol": _("Protocol"),
    "suite": _("Cipher suite"),
    "workarounds": _("Workarounds"),
    "profile": _("Credential profile"),
    "is_protected": _("Protected"),
    "protected_reason": _("Why it is protected"),
}


def _choice(choices: type[models.Choices]) -> Callable[[Any], Label]:
    names: dict[Any, Label] = dict(choices.choices)
    return lambda value: names.get(value, str(value))


def server_words() -> Words:
    """Return the words for a server, with the custom fields as they are called now."""
    custom = {f"custom.{field.key}": field.label for field in CustomField.objects.all()}
    values: dict[str, Callable[[Any], Label]] = {
        "suite": _choice(SuiteChoice),
        "protocol": _choice(Protocol),
        "port": str,
    }
    return Words(SERVER_LABELS | custom, values, _custom_flat)


def custom_values(server: Server) -> list[tuple[str, str]]:
    """Return the labels and values of the custom fields that this server has."""
    if not server.custom_fields:
        return []
    words = server_words()
    told = _custom_flat({"custom_fields": server.custom_fields})
    return [
        (words.label(name), words.value(name, told[name])) for name in words.labels if name in told
    ]


def _custom_flat(told: Told) -> Told:
    inside = told.get("custom_fields") or {}
    rest = {name: value for name, value in told.items() if name != "custom_fields"}
    return rest | {f"custom.{key}": value for key, value in inside.items()}


RACK_WORDS: Final = Words(
    {
        "site": _("Site"),
        "name": _("Name"),
        "units": _("Rack units"),
        "feeds": _("Power feeds"),
        "notes": _("Notes"),
    }
)

PROFILE_WORDS: Final = Words(
    {
        "name": _("Name"),
        "username": _("BMC user name"),
        "password": _("Password"),
        "has_new_secret": _("New password"),
        "networks": _("Networks"),
        "privilege": _("Privilege"),
        "is_open_everywhere": _("Every operator may use it"),
        "clusters": _("Operators of these clusters may use it"),
        "key": _("Key"),
    },
    {"privilege": _choice(PrivilegeChoice)},
)

CUSTOMFIELD_WORDS: Final = Words(
    {
        "label": _("Label"),
        "key": _("Key"),
        "kind": _("Kind"),
        "options": _("Options"),
        "position": _("Position"),
    },
    {"kind": _choice(CustomFieldKind)},
)

KINDS: Final[dict[str, Callable[[], Words]]] = {
    "inventory.server": server_words,
    "inventory.rack": lambda: RACK_WORDS,
    "inventory.credentialprofile": lambda: PROFILE_WORDS,
    "inventory.customfield": lambda: CUSTOMFIELD_WORDS,
}

ACTIONS: Final[dict[str, Label]] = {
    "inventory.server.create": _("added this server"),
    "inventory.server.update": _("changed this server"),
    "inventory.bmc.try_again": _("let the refused password be tried again"),
    "inventory.rack.create": _("added this rack"),
    "inventory.rack.update": _("changed this rack"),
    "inventory.profile.create": _("added this profile"),
    "inventory.profile.update": _("changed this profile"),
    "secrets.profile.reseal": _("encrypted the secrets with another key"),
    "inventory.customfield.create": _("added this field"),
    "inventory.customfield.update": _("changed this field"),
    "inventory.server.delete": _("removed this server"),
    "inventory.rack.delete": _("removed this rack"),
    "inventory.profile.delete": _("removed this profile"),
    "inventory.customfield.delete": _("removed this field"),
    "inventory.bmc.accept": _("accepted the machine that answers at this address"),
}
