"""Racks as they are drawn and counted: who stands where, what is free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count

from apps.accounts.models import User
from apps.inventory.choices import Power
from apps.inventory.models import Rack, Server
from apps.inventory.selectors import servers_full

UNIT_HEIGHT: Final = 26
LEFT: Final = 40
WIDTH: Final = 340
GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the drawing, in its own units; texts, so that no locale touches them."""

    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Place:
    """One server in a slot; without `server` it is one that this person may not see."""

    server: Server | None
    box: Box


@dataclass(frozen=True, slots=True)
class Slot:
    """Units that are filled by one server, or by several in one chassis."""

    low: int
    high: int
    places: list[Place]

    @property
    def servers(self) -> list[Server]:
        return [place.server for place in self.places if place.server is not None]

    @property
    def hidden_count(self) -> int:
        return len(self.places) - len(self.servers)


@dataclass(frozen=True, slots=True)
class Gap:
    """Units that are free."""

    low: int
    high: int

    @property
    def count(self) -> int:
        return self.high - self.low + 1


@dataclass(frozen=True, slots=True)
class Mark:
    """The number of a unit, beside the drawing."""

    unit: str
    y: str
    middle: str


@dataclass(frozen=True, slots=True)
class Elevation:
    """The front of one rack."""

    rack: Rack
    slots: list[Slot]
    """From the top down."""
    gaps: list[Gap]
    unplaced: list[Server]
    """In this rack, but nobody said in which units."""
    hidden_unplaced: int
    width: str = field(default=str(LEFT + WIDTH + 12))

    @property
    def height(self) -> str:
        return str(self.rack.units * UNIT_HEIGHT + 12)

    @property
    def frame_height(self) -> str:
        return str(self.rack.units * UNIT_HEIGHT + 8)

    @property
    def free_count(self) -> int:
        return sum(gap.count for gap in self.gaps)

    @property
    def used_count(self) -> int:
        return self.rack.units - self.free_count

    @property
    def rows(self) -> list[Slot | Gap]:
        """Slots and free units from the top down, for the table."""
        return sorted([*self.slots, *self.gaps], key=lambda row: -row.high)

    @property
    def marks(self) -> Iterator[Mark]:
        for unit in range(self.rack.units, 0, -1):
            top = _y(self.rack, unit)
            yield Mark(str(unit), str(top), str(top + UNIT_HEIGHT / 2 + 4))


def elevation_of(user: User | AnonymousUser, rack: Rack) -> Elevation:
    """Return what stands in the rack; servers that this person may not see have no name."""
    seen = {server.pk: server for server in servers_full(user).filter(rack=rack).order_by("name")}
    placed: dict[tuple[int, int], list[int]] = defaultdict(list)
    unplaced: list[int] = []
    everything = Server.objects.filter(rack=rack).order_by("name")
    for pk, low, count in everything.values_list("pk", "rack_unit", "unit_count"):
        if low is None:
            unplaced.append(pk)
        else:
            placed[low, low + count - 1].append(pk)
    slots = [
        Slot(low, high, _places(rack, low, high, [seen.get(pk) for pk in pks]))
        for (low, high), pks in sorted(placed.items(), reverse=True)
    ]
    known = [seen[pk] for pk in unplaced if pk in seen]
    used = {unit for slot in slots for unit in range(slot.low, slot.high + 1)}
    return Elevation(rack, slots, _gaps(rack, used), known, len(unplaced) - len(known))


def _y(rack: Rack, unit: int) -> int:
    """Return where a unit begins, counted from the top of the drawing."""
    return 6 + (rack.units - unit) * UNIT_HEIGHT


def _places(rack: Rack, low: int, high: int, servers: list[Server | None]) -> list[Place]:
    """Draw the servers of one chassis side by side; those with a name first."""
    servers = sorted(servers, key=lambda server: server is None)
    width = WIDTH / len(servers)
    height = (high - low + 1) * UNIT_HEIGHT - GAP
    return [
        Place(
            server,
            Box(
                f"{LEFT + index * width:.1f}",
                str(_y(rack, high)),
                f"{width - GAP:.1f}",
                str(height),
            ),
        )
        for index, server in enumerate(servers)
    ]


def _gaps(rack: Rack, used: set[int]) -> list[Gap]:
    gaps: list[Gap] = []
    for unit in range(1, rack.units + 1):
        if unit in used:
            continue
        if gaps and gaps[-1].high == unit - 1:
            gaps[-1] = Gap(gaps[-1].low, unit)
        else:
            gaps.append(Gap(unit, unit))
    return gaps


# ---------------------------------------------------------------- the list of racks


@dataclass(frozen=True, slots=True)
class RackRow:
    """One rack in the list. Units count for everybody, servers only for who may see them."""

    rack: Rack
    used_count: int
    by_power: dict[str, int]

    @property
    def free_count(self) -> int:
        return max(0, self.rack.units - self.used_count)

    @property
    def server_count(self) -> int:
        return sum(self.by_power.values())


def rack_rows(user: User | AnonymousUser, racks: Sequence[Rack]) -> list[RackRow]:
    """Return the racks with their counts; two queries for all of them."""
    ids = [rack.pk for rack in racks]
    used = _used_units(ids)
    by_rack: dict[int, dict[str, int]] = {pk: dict.fromkeys(Power.values, 0) for pk in ids}
    counts = Server.objects.visible_to(user).filter(rack__in=ids).order_by()
    for pk, power, number in counts.values_list("rack", "status__power").annotate(n=Count("pk")):
        by_rack[pk][power or Power.UNKNOWN.value] += number
    return [RackRow(rack, len(used[rack.pk]), by_rack[rack.pk]) for rack in racks]


def _used_units(ids: Iterable[int]) -> dict[int, set[int]]:
    used: dict[int, set[int]] = defaultdict(set)
    rows = Server.objects.filter(rack__in=list(ids), rack_unit__isnull=False).order_by()
    for pk, low, count in rows.values_list("rack_id", "rack_unit", "unit_count").distinct():
        used[pk].update(range(low or 0, (low or 0) + count))
    return used
