"""Reads of servers for pages and live frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.clusters.selectors import grants_of, roles_in
from apps.core.actions import Action, row_actions
from apps.inventory.choices import Power
from apps.inventory.models import Server, ServerQuerySet

SORTS: Final = {
    "name": ("name",),
    "-name": ("-name",),
    "power": ("status__power", "name"),
    "-power": ("-status__power", "name"),
}
SEARCH_LENGTH: Final = 100
LIST_RELATED: Final = ("cluster", "rack", "bmc__site", "bmc__profile", "status")
"""What the row and the page of a server print beside its own columns."""
SERVER_PAGE: Final = "inventory.server"
"""What panels and actions of servers sign in for."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What the list is asked for. Words that mean nothing are left out, never an error."""

    text: str = ""
    power: str = ""
    sort: str = "name"

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> ListQuery:
        text = str(asked.get("q", "")).replace("\0", "").strip()[:SEARCH_LENGTH]
        power, sort = str(asked.get("power", "")), str(asked.get("sort", ""))
        return cls(text, power if power in Power.values else "", sort if sort in SORTS else "name")

    @property
    def text_filter(self) -> Q:
        if not self.text:
            return Q()
        return Q(name__icontains=self.text) | Q(bmc__address__icontains=self.text)


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """How many servers a person sees, and how many of them match the text, by power."""

    total: int
    matching: int
    by_power: dict[str, int]


def servers_for_list(user: User | AnonymousUser, asked: ListQuery) -> ServerQuerySet:
    """Return the servers a row needs nothing else for."""
    rows = servers_full(user).filter(asked.text_filter).order_by(*SORTS[asked.sort])
    return rows.filter(status__power=asked.power) if asked.power else rows


def servers_full(user: User | AnonymousUser) -> ServerQuerySet:
    """Return the visible servers with everything their row and their page print."""
    return Server.objects.visible_to(user).select_related(*LIST_RELATED)


def server_counts(user: User | AnonymousUser, asked: ListQuery) -> ServerCounts:
    matches = Q(pk__isnull=False) & asked.text_filter
    counts = Server.objects.visible_to(user).aggregate(
        total=Count("pk"),
        **{
            f"n_{power}": Count("pk", filter=matches & Q(status__power=power))
            for power in Power.values
        },
    )
    by_power = {power: counts[f"n_{power}"] for power in Power.values}
    matching = by_power[asked.power] if asked.power else sum(by_power.values())
    return ServerCounts(counts["total"], matching, by_power)


def may_add_servers(user: User | AnonymousUser) -> bool:
    """Say whether this person is operator of anything."""
    return grants_of(user, Role.OPERATOR).exists()


def may_operate(user: User | AnonymousUser, server: Server) -> bool:
    return Server.objects.actionable_by(user, Role.OPERATOR).filter(pk=server.pk).exists()


def actions_for(user: User | AnonymousUser, server: Server) -> list[Action]:
    """Return the actions this person may begin on the page of this server, in menu order."""
    held = roles_in(user, server.cluster_id)
    return [action for action in row_actions(SERVER_PAGE) if Role(action.permission) in held]


def clusters_by_server(user: User | AnonymousUser, ids: Iterable[int]) -> dict[int, int | None]:
    """Return those of these servers that this person sees, each with its cluster."""
    rows = Server.objects.visible_to(user).filter(pk__in=set(ids))
    return dict(rows.order_by().values_list("pk", "cluster_id"))
