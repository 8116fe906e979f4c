"""Racks: admins write them down, servers stand in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import Site
from apps.clusters.selectors import has_everywhere
from apps.core.stale import version_check
from apps.inventory.models import Rack
from apps.inventory.services.servers import difference


@dataclass(frozen=True, slots=True)
class RackFacts:
    """What an admin may say about a rack; already validated by form or body."""

    site: Site
    name: str
    units: int = 42
    feeds: tuple[str, ...] = ()
    notes: str = ""

    @classmethod
    def of(cls, rack: Rack) -> Self:
        """Return how it is now."""
        return cls(rack.site, rack.name, rack.units, tuple(rack.feeds), rack.notes)

    def told(self) -> dict[str, Any]:
        """Return plain values for the audit and for differences."""
        return {
            "site": self.site.name,
            "name": self.name,
            "units": self.units,
            "feeds": list(self.feeds),
            "notes": self.notes,
        }


def rack_create(*, actor: User, facts: RackFacts) -> Rack:
    """:raises PermissionDenied: anybody but an admin.
    :raises ValidationError: another rack of the site has this name.
    """
    _need_admin(actor)
    with transaction.atomic():
        rack = Rack()
        _check(facts, rack)
        _fill(rack, facts)
        rack.save()
        entry_record(actor=actor, action="inventory.rack.create", obj=rack, after=facts.told())
    return rack


def rack_update(
    *, actor: User, rack: Rack, facts: RackFacts, expected_version: int | None = None
) -> Rack:
    """:raises PermissionDenied: anybody but an admin.
    :raises ValidationError: servers stand above the new top, or at the old site.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    _need_admin(actor)
    with transaction.atomic():
        rack = Rack.objects.select_for_update(of=("self",)).select_related("site").get(pk=rack.pk)
        version_check(rack, expected_version)
        before = RackFacts.of(rack)
        if facts == before:
            return rack
        _check(facts, rack)
        _fill(rack, facts)
        rack.version += 1
        rack.save()
        changed = difference(before.told(), facts.told())
        entry_record(actor=actor, action="inventory.rack.update", obj=rack, **changed)  # type: ignore[arg-type]  # before and after
    return rack


def rack_delete(*, actor: User, rack: Rack, expected_version: int | None = None) -> None:
    """:raises PermissionDenied: anybody but an admin.
    :raises ValidationError: servers stand in it.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    _need_admin(actor)
    with transaction.atomic():
        rack = Rack.objects.select_for_update(of=("self",)).select_related("site").get(pk=rack.pk)
        version_check(rack, expected_version)
        if count := rack.servers.count():
            words = ngettext(
                "%(n)d server stands in it. Move it first.",
                "%(n)d servers stand in it. Move them first.",
                count,
            )
            raise ValidationError(words % {"n": count})
        entry_record(
            actor=actor, action="inventory.rack.delete", obj=rack,
            before=RackFacts.of(rack).told(),
        )  # fmt: skip
        rack.delete()


def _need_admin(actor: User) -> None:
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins change racks")


def _fill(rack: Rack, facts: RackFacts) -> None:
    rack.site, rack.name, rack.units = facts.site, facts.name, facts.units
    rack.feeds, rack.notes = list(facts.feeds), facts.notes


def _check(facts: RackFacts, rack: Rack) -> None:
    """:raises ValidationError: every problem at once, by the name of the fact."""
    problems: dict[str, str | Promise] = {}
    if Rack.objects.filter(site=facts.site, name=facts.name).exclude(pk=rack.pk).exists():
        problems["name"] = _("Another rack of this site has this name.")
    if len(set(facts.feeds)) < len(facts.feeds):
        problems["feeds"] = _("Each feed once.")
    if rack.pk is not None:
        problems |= _servers_problems(facts, rack)
    if problems:
        raise ValidationError({name: str(text) for name, text in problems.items()})


def _servers_problems(facts: RackFacts, rack: Rack) -> dict[str, str | Promise]:
    problems: dict[str, str | Promise] = {}
    servers = list(rack.servers.all())
    if servers and facts.site.pk != rack.site_id:
        problems["site"] = _("Servers stand in it. Move them first.")
    tops = [server.top_unit or 0 for server in servers]
    if tops and max(tops) > facts.units:
        problems["units"] = _("Servers stand up to unit %(top)d.") % {"top": max(tops)}
    return problems
