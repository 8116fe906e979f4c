"""Racks: admins write them; servers are put into them by their own facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import Site
from apps.clusters.selectors import has_everywhere
from apps.core.stale import version_check
from apps.core.text import visible_lines_validate
from apps.inventory.models import Rack
from apps.inventory.models.racks import MOST_UNITS
from apps.inventory.services.facts import NOTES_LENGTH, Problems, text_problem
from apps.inventory.services.servers import difference

NAME_LENGTH: Final = 64
MOST_FEEDS: Final = 8
FEED_LENGTH: Final = 32
MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class RackFacts:
    """What an admin may say about a rack."""

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
        """Return plain values for the audit, for differences and for forms."""
        return {
            "site": self.site.name,
            "name": self.name,
            "units": self.units,
            "feeds": list(self.feeds),
            "notes": self.notes,
        }


def rack_create(*, actor: User, facts: RackFacts) -> Rack:
    """Store a rack.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: every problem at once, by the name of the fact.
    """
    _need_admin(actor)
    rack = Rack()
    with transaction.atomic():
        _check(facts, None)
        _fill(rack, facts)
        rack.save()
        entry_record(
            actor=actor, action="inventory.rack.create", obj=rack, after=facts.told()
        )  # fmt: skip
    return rack


def rack_update(
    *, actor: User, rack: Rack, facts: RackFacts, expected_version: int | None = None
) -> Rack:
    """Change a rack. It keeps its site and its used units while servers stand in it.

    :raises PermissionDenied, ValidationError: as `rack_create`.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    :raises Rack.DoesNotExist: it was removed meanwhile.
    """
    _need_admin(actor)
    with transaction.atomic():
        rack = _locked(rack.pk)
        version_check(rack, expected_version)
        before = RackFacts.of(rack)
        if facts == before:
            return rack
        _check(facts, rack)
        _fill(rack, facts)
        rack.version += 1
        rack.save()
        told = difference(before.told(), facts.told())
        entry_record(
            actor=actor, action="inventory.rack.update", obj=rack,
            before=told["before"], after=told["after"],
        )  # fmt: skip
    return rack


def rack_delete(*, actor: User, rack: Rack, expected_version: int | None = None) -> None:
    """Remove an empty rack.

    :raises PermissionDenied, apps.core.stale.StaleObject, Rack.DoesNotExist: as the update.
    :raises ValidationError: servers stand in it; the sentence names them.
    """
    _need_admin(actor)
    with transaction.atomic():
        rack = _locked(rack.pk)
        version_check(rack, expected_version)
        if names := _servers_in(rack):
            raise ValidationError(
                _("Servers stand in it: %(names)s. Move or remove them first.") % {"names": names}
            )
        entry_record(
            actor=actor, action="inventory.rack.delete", obj=rack,
            before=RackFacts.of(rack).told(),
        )  # fmt: skip
        rack.delete()  # locked: no server can be put into it meanwhile


def _need_admin(actor: User) -> None:
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins change racks")


def _locked(pk: int) -> Rack:
    return Rack.objects.select_related("site").select_for_update(of=("self",)).get(pk=pk)


def _fill(rack: Rack, facts: RackFacts) -> None:
    rack.site, rack.name, rack.units = facts.site, facts.name, facts.units
    rack.feeds, rack.notes = list(facts.feeds), facts.notes


def _check(facts: RackFacts, rack: Rack | None) -> None:
    problems = _word_problems(facts) | _feed_problems(facts.feeds)
    others = Rack.objects.exclude(pk=rack.pk) if rack else Rack.objects.all()
    if "name" not in problems and others.filter(site=facts.site, name=facts.name).exists():
        problems["name"] = _("Another rack of this site has this name.")
    if not 1 <= facts.units <= MOST_UNITS:
        problems["units"] = _("From 1 to %(most)d units.") % {"most": MOST_UNITS}
    if rack is not None:
        problems |= _content_problems(facts, rack)
    if problems:
        raise ValidationError({name: str(text) for name, text in problems.items()})


def _word_problems(facts: RackFacts) -> Problems:
    problems: Problems = {}
    if not facts.name.strip():
        problems["name"] = _("A rack needs a name.")
    elif problem := text_problem(facts.name, NAME_LENGTH):
        problems["name"] = problem
    if len(facts.notes) > NOTES_LENGTH:
        problems["notes"] = _("At most %(most)d characters.") % {"most": NOTES_LENGTH}
    try:
        visible_lines_validate(facts.notes)
    except ValidationError as error:
        problems["notes"] = error.messages[0]
    return problems


def _feed_problems(feeds: tuple[str, ...]) -> Problems:
    if len(feeds) > MOST_FEEDS:
        return {"feeds": _("At most %(most)d power feeds.") % {"most": MOST_FEEDS}}
    if len(set(feeds)) < len(feeds):
        return {"feeds": _("Each power feed once.")}
    for feed in feeds:
        if not feed.strip() or "," in feed:
            return {"feeds": _("A power feed has a name without a comma.")}
        if problem := text_problem(feed, FEED_LENGTH):
            return {"feeds": problem}
    return {}


def _content_problems(facts: RackFacts, rack: Rack) -> Problems:
    """Compare with the servers that stand in the rack."""
    problems: Problems = {}
    if facts.site.pk != rack.site_id and (names := _servers_in(rack)):
        text = _("Servers of %(site)s stand in it: %(names)s. Move them first.")
        problems["site"] = text % {"site": rack.site.name, "names": names}
    above = rack.servers.filter(rack_unit__gt=facts.units + 1 - F("unit_count"))
    highest = above.order_by("-rack_unit", "name").first()
    if highest is not None:
        text = _("%(server)s stands in the units %(low)d to %(top)d. Move it first.")
        problems["units"] = text % {
            "server": highest.name,
            "low": highest.rack_unit,
            "top": highest.top_unit,
        }
    return problems


def _servers_in(rack: Rack) -> str:
    """Return the names of some servers in the rack, and how many more there are."""
    names = list(rack.servers.order_by("name").values_list("name", flat=True)[:MOST_NAMED])
    more = rack.servers.count() - len(names) if len(names) == MOST_NAMED else 0
    if more:
        names.append(_("%(n)d more") % {"n": more})
    return ", ".join(names)
