"""Reads of servers for pages and live frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q, QuerySet
from django.http import Http404, QueryDict
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.clusters.selectors import clusters_visible, grants_of, has_everywhere, roles_in
from apps.core.actions import Action, row_actions
from apps.inventory.choices import Power
from apps.inventory.filtersets import ServerFilterSet
from apps.inventory.models import CustomField, Server, ServerQuerySet, ServerSelection, Tag

SORTS: Final = {
    "name": ("name",),
    "-name": ("-name",),
    "power": ("status__power", "name"),
    "-power": ("-status__power", "name"),
}
SEARCH_LENGTH: Final = 100
MOST_TAGS: Final = 300
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
    return Server.objects.visible_to(user).select_related(
        "cluster", "rack", "bmc__site", "bmc__profile", "status"
    )


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


def selection_servers(user: User | AnonymousUser, selection: ServerSelection) -> ServerQuerySet:
    """Return the servers that a person picked, as far as this very person may see them now.

    :raises Http404: it is the selection of somebody else.
    """
    if selection.user_id != user.pk:
        raise Http404
    rows = Server.objects.visible_to(user)
    if not selection.is_all:
        return rows.filter(pk__in=selection.ids)
    asked = ServerFilterSet(
        QueryDict(selection.query), queryset=rows, request=SimpleNamespace(user=user)
    )
    found: ServerQuerySet = asked.qs if asked.is_valid() else rows.none()
    return found.exclude(pk__in=selection.ids).distinct()


def tags_for(user: User | AnonymousUser) -> QuerySet[Tag]:
    """Return the tags of servers this person may see; to be offered while typing."""
    return Tag.objects.filter(servers__in=Server.objects.visible_to(user)).distinct()[:MOST_TAGS]


def customfield_counts(fields: Sequence[CustomField]) -> dict[int, int]:
    """Return how many servers hold a value of each field; one query for all."""
    if not fields:
        return {}
    counts = Server.objects.aggregate(
        **{
            f"n_{field.pk}": Count("pk", filter=Q(custom_fields__has_key=field.key))
            for field in fields
        }
    )
    return {field.pk: counts[f"n_{field.pk}"] for field in fields}


def history_mask(user: User | AnonymousUser) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return what hides the names of clusters that this person may not see from a history."""
    names = set(clusters_visible(user).values_list("name", flat=True))
    sees_all = has_everywhere(user, Role.READONLY)

    def mask(told: Mapping[str, Any]) -> Mapping[str, Any]:
        name = told.get("cluster")
        if sees_all or not name or name in names:
            return told
        return {**told, "cluster": _("another cluster")}

    return mask
