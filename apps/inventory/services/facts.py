"""What may be said about a server, and whether it can be true: asked by form, API and imports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.bmc import BmcForbiddenAddress
from apps.clusters.models import Cluster, Site
from apps.core.text import visible_lines_validate, visible_text_validate
from apps.inventory.addresses import NameNotResolved, addresses_check, networks_parse
from apps.inventory.choices import CustomFieldKind, Protocol, SuiteChoice, Workaround
from apps.inventory.models import Bmc, CredentialProfile, CustomField, Rack, Server
from apps.inventory.models.racks import MOST_UNITS

MOST_TAGS: Final = 20
TAG_LENGTH: Final = 32
TEXT_LENGTH: Final = 200
NOTES_LENGTH: Final = 4000
LENGTHS: Final = {
    "name": 64,
    "asset_tag": 64,
    "serial": 64,
    "model": 64,
    "protected_reason": 200,
}
"""The most characters of each line of text, as in the model."""

Problems = dict[str, str | Promise]


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server and how its BMC is reached. Change some with `dataclasses.replace`."""

    name: str
    cluster: Cluster | None
    site: Site
    address: str
    port: int
    profile: CredentialProfile | None
    suite: str = SuiteChoice.AUTO
    protocol: str = Protocol.IPMI
    workarounds: tuple[str, ...] = ()
    asset_tag: str = ""
    serial: str = ""
    model: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    custom_fields: dict[str, Any] = field(default_factory=dict)
    is_protected: bool = False
    protected_reason: str = ""
    rack: Rack | None = None
    rack_unit: int | None = None
    unit_count: int = 1

    @classmethod
    def of(cls, server: Server) -> Self:
        """Return how it is now."""
        bmc = server.bmc
        return cls(
            name=server.name,
            cluster=server.cluster,
            site=bmc.site,
            address=bmc.address,
            port=bmc.port,
            profile=bmc.profile,
            suite=bmc.suite,
            protocol=bmc.protocol,
            workarounds=tuple(bmc.workarounds),
            asset_tag=server.asset_tag,
            serial=server.serial,
            model=server.model,
            tags=tuple(sorted(tag.name for tag in server.tags.all())),
            notes=server.notes,
            custom_fields=dict(server.custom_fields),
            is_protected=server.is_protected,
            protected_reason=server.protected_reason,
            rack=server.rack,
            rack_unit=server.rack_unit,
            unit_count=server.unit_count,
        )

    def told(self) -> dict[str, Any]:
        """Return plain values for the audit, for differences and for forms: names, no secrets."""
        return {
            "name": self.name,
            "cluster": self.cluster.name if self.cluster else None,
            "site": self.site.name,
            "address": self.address,
            "port": self.port,
            "profile": self.profile.name if self.profile else None,
            "suite": self.suite,
            "protocol": self.protocol,
            "workarounds": list(self.workarounds),
            "asset_tag": self.asset_tag,
            "serial": self.serial,
            "model": self.model,
            "tags": list(self.tags),
            "notes": self.notes,
            "custom_fields": self.custom_fields,
            "is_protected": self.is_protected,
            "protected_reason": self.protected_reason,
            "rack": self.rack.name if self.rack else None,
            "rack_unit": self.rack_unit,
            "unit_count": self.unit_count,
        }


def facts_check(actor: User, facts: ServerFacts, server: Server | None) -> None:
    """Compare with everything that is stored; `server` is the one that is changed.

    :raises ValidationError: every problem at once, by the name of the fact.
    """
    # First what needs no database: it is not asked for words that no row can hold.
    problems = word_problems(facts)
    problems |= _taken(facts, server, problems)
    problems |= place_problems(facts, server)
    problems |= workaround_problems(facts.workarounds)
    problems |= custom_field_problems(facts.custom_fields)
    if needs_binding(facts, server):
        problems |= binding_problems(actor, facts)
    if problems:
        raise ValidationError({name: str(text) for name, text in problems.items()})


def place_check(facts: ServerFacts, server: Server | None) -> None:
    """Look at the place again, with its rack locked: two people may move servers into one rack.

    :raises ValidationError:
    """
    if facts.rack is not None and facts.rack_unit is not None:
        Rack.objects.select_for_update().get(pk=facts.rack.pk)
        if problems := place_problems(facts, server):
            raise ValidationError({name: str(text) for name, text in problems.items()})


def needs_binding(facts: ServerFacts, server: Server | None) -> bool:
    """Say whether the profile is bound anew (S4): it is another one, or the BMC is elsewhere."""
    if server is None:
        return True
    bmc = server.bmc
    is_elsewhere = (bmc.address, bmc.port, bmc.protocol) != (
        facts.address,
        facts.port,
        facts.protocol,
    )
    return is_elsewhere or bmc.profile_id != (facts.profile and facts.profile.pk)


def binding_problems(actor: User, facts: ServerFacts) -> Problems:
    """A secret goes only where it was meant to go: usable by this person, at this address."""
    profile = facts.profile
    if profile is None:
        return {}
    if not CredentialProfile.objects.usable_by(actor).filter(pk=profile.pk).exists():
        return {"profile": _("Choose a profile that was opened to you.")}
    try:
        addresses_check(facts.address, networks_parse(profile.networks))
    except NameNotResolved:
        return {"address": _("No address was found for this name.")}
    except BmcForbiddenAddress:
        return {"profile": outside_words(profile)}
    return {}


def outside_words(profile: CredentialProfile) -> str:
    """Say that a profile's secret is not sent to an address."""
    text = _(
        "The networks of this profile (%(networks)s) do not contain the address. "
        "Choose another profile, or ask an admin."
    )
    return text % {"networks": ", ".join(profile.networks)}


def _taken(facts: ServerFacts, server: Server | None, wrong: Problems) -> Problems:
    problems: Problems = {}
    others = Server.objects.exclude(pk=server.pk) if server else Server.objects.all()
    if "name" not in wrong and others.filter(name=facts.name).exists():
        problems["name"] = _("Another server has this name.")
    is_tagged = facts.asset_tag and "asset_tag" not in wrong
    if is_tagged and others.filter(asset_tag=facts.asset_tag).exists():
        problems["asset_tag"] = _("Another server has this asset tag.")
    bmcs = Bmc.objects.exclude(pk=server.bmc_id) if server else Bmc.objects.all()
    if bmcs.filter(address=facts.address, port=facts.port).exists():
        problems["address"] = _("A BMC at this address and port is in the portal already.")
    return problems


def place_problems(facts: ServerFacts, server: Server | None) -> Problems:
    """Look at rack and units; the database is asked only where a unit is named."""
    rack, lowest = facts.rack, facts.rack_unit
    if not 1 <= facts.unit_count <= MOST_UNITS:
        return {"unit_count": _("From 1 to %(most)d units.") % {"most": MOST_UNITS}}
    if rack is None:
        return {} if lowest is None else {"rack_unit": _("Choose the rack it stands in.")}
    if rack.site_id != facts.site.pk:
        text = _("This rack stands at %(site)s. Choose a rack of the server's site.")
        return {"rack": text % {"site": rack.site.name}}
    if lowest is None:
        return {}
    top = lowest + facts.unit_count - 1
    if lowest < 1 or top > rack.units:
        text = _("The rack has the units 1 to %(units)d.")
        return {"rack_unit": text % {"units": rack.units}}
    beside = rack.servers.filter(rack_unit__isnull=False)
    if server is not None:
        beside = beside.exclude(pk=server.pk)
    for other, unit, count in beside.values_list("name", "rack_unit", "unit_count"):
        other_lowest = unit or 0
        other_top = other_lowest + count - 1
        is_same_chassis = (other_lowest, other_top) == (lowest, top)
        if other_lowest <= top and lowest <= other_top and not is_same_chassis:
            text = _("%(server)s stands in the units %(low)d to %(top)d.")
            return {"rack_unit": text % {"server": other, "low": other_lowest, "top": other_top}}
    return {}


def word_problems(facts: ServerFacts) -> Problems:
    """Look at what people write; asks nothing of the database."""
    problems: Problems = {}
    for name, most in LENGTHS.items():
        if problem := text_problem(getattr(facts, name), most):
            problems[name] = problem
    if not facts.name.strip():
        problems["name"] = _("A server needs a name.")
    if len(facts.notes) > NOTES_LENGTH:
        problems["notes"] = _("At most %(most)d characters.") % {"most": NOTES_LENGTH}
    try:
        visible_lines_validate(facts.notes)
    except ValidationError as error:
        problems["notes"] = error.messages[0]
    if facts.is_protected and not facts.protected_reason.strip():
        problems["protected_reason"] = _("Say why, so that others know what to ask.")
    return problems | tag_problems(facts.tags)


def tag_problems(tags: tuple[str, ...]) -> Problems:
    if len(tags) > MOST_TAGS:
        return {"tags": _("At most %(most)d tags.") % {"most": MOST_TAGS}}
    for tag in tags:
        if not tag.strip() or len(tag) > TAG_LENGTH or "," in tag:
            return {"tags": _("A tag has 1 to 32 characters and no comma.")}
        if problem := text_problem(tag, TAG_LENGTH):
            return {"tags": problem}
    return {}


def text_problem(text: str, most: int) -> str:
    """Say what is wrong with one line of text; empty: nothing."""
    if len(text) > most:
        return _("At most %(most)d characters.") % {"most": most}
    try:
        visible_text_validate(text)
    except ValidationError as error:
        return str(error.messages[0])
    return ""


def workaround_problems(words: Iterable[str]) -> Problems:
    """Compare with the workarounds that the session engine knows."""
    unknown = [word for word in words if word not in Workaround.values]
    if not unknown:
        return {}
    text = _("There is no workaround “%(word)s”.")
    return {"workarounds": text % {"word": str(unknown[0])[:40]}}


def custom_field_problems(values: dict[str, Any]) -> Problems:
    """Compare values with the fields that admins defined; errors stand under `custom.<key>`."""
    if not values:
        return {}
    known = {field.key: field for field in CustomField.objects.all()}
    problems: Problems = {}
    for key, value in values.items():
        found = known.get(key)
        if found is None:
            text = _("There is no custom field “%(key)s”.")
            problems["custom_fields"] = text % {"key": str(key)[:40]}
        elif problem := _value_problem(found, value):
            problems[f"custom.{key}"] = problem
    return problems


def _value_problem(definition: CustomField, value: Any) -> str:
    if value is None:
        return ""
    kind = definition.kind
    if kind == CustomFieldKind.FLAG:
        return "" if isinstance(value, bool) else _("Yes or no is expected.")
    if kind == CustomFieldKind.NUMBER:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return "" if is_number and abs(value) < 1e15 else _("A number is expected.")
    if not isinstance(value, str):
        return _("A text is expected.")
    if kind == CustomFieldKind.DATE:
        try:
            dt.date.fromisoformat(value)
        except ValueError:
            return _("A date is expected, like 2026-11-30.")
        return ""
    if kind == CustomFieldKind.CHOICE and value not in definition.options:
        return _("Choose one of the list.")
    return text_problem(value, TEXT_LENGTH)
