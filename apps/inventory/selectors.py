"""Reads of servers for pages and live frames."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import CharField, Count, IntegerField, Q, QuerySet, Value
from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.clusters.selectors import (
    Reach,
    clusters_visible,
    grants_of,
    has_everywhere,
    roles_in,
)
from apps.core.actions import Action, row_actions
from apps.core.dbtime import now_plus
from apps.inventory.listing import listing_of
from apps.inventory.models import (
    CustomField,
    SavedView,
    Server,
    ServerQuerySet,
    ServerSelection,
    Tag,
)

LIST_RELATED: Final = ("cluster", "rack", "bmc__site", "bmc__profile", "status")
"""What the row and the page of a server print beside its own columns."""
SERVER_PAGE: Final = "inventory.server"
"""What panels and actions of servers sign in for."""
MOST_TAGS: Final = 300
SELECTION_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Summary:
    """What a selection holds now: `count` servers that its person sees, `lost` that are gone or
    not shown to them any more."""

    count: int
    lost: int

    @property
    def total(self) -> int:
        return self.count + self.lost


def servers_full(user: User | AnonymousUser) -> ServerQuerySet:
    """Return the visible servers with everything their row and their page print."""
    return Server.objects.visible_to(user).select_related(*LIST_RELATED)


def rows_fetch(rows: ServerQuerySet) -> list[Server]:
    """Fetch servers with everything that a row of the list prints, in two queries."""
    servers = list(rows.select_related("cluster", "rack", "bmc__site", "status"))
    tags: dict[int, list[str]] = defaultdict(list)
    links = Server.tags.through.objects.filter(server__in=[server.pk for server in servers])
    for pk, name in links.order_by("tag__name").values_list("server_id", "tag__name"):
        tags[pk].append(name)
    for server in servers:
        server.tag_names = tags[server.pk]
    return servers


def selection_of(user: User, text: str) -> ServerSelection | None:
    """Return the selection with this id, if it is this person's and not expired."""
    try:
        pk = uuid.UUID(text)
    except ValueError:
        return None
    since = now_plus(-SELECTION_SECONDS)
    return ServerSelection.objects.filter(pk=pk, user_id=user.pk, updated_at__gt=since).first()


def selection_servers(
    user: User, selection: ServerSelection, reach: Reach | None = None
) -> ServerQuerySet:
    """Return the servers of a selection that this person sees now.

    "All that match" is asked anew; when its filter means less than it did, nothing matches: it
    never grows over what the person saw. `reach` as in `listing_of`.
    """
    if selection.user_id != user.pk:
        return Server.objects.none()
    if not selection.is_all:
        return Server.objects.visible_to(reach or user).filter(pk__in=selection.ids)
    listing = listing_of(user, QueryDict(selection.query), reach)
    rows = listing.rows() if listing.is_exact else Server.objects.none()
    return rows.exclude(pk__in=selection.ids)


def selection_summary(
    user: User, selection: ServerSelection, reach: Reach | None = None
) -> Summary:
    """Count what the selection holds now; `reach` as in `listing_of`."""
    count = selection_servers(user, selection, reach).count()
    return Summary(count, 0 if selection.is_all else len(selection.ids) - count)


def views_and_fields(user: User) -> tuple[list[SavedView], dict[str, str]]:
    """Return a person's saved views, and the labels of the custom fields by key; one query."""
    of_view = Value("view", output_field=CharField())
    of_field = Value("field", output_field=CharField())
    no_place = Value(0, output_field=IntegerField())
    views = SavedView.objects.filter(user_id=user.pk).order_by()
    fields = CustomField.objects.order_by()
    rows = sorted(
        views.values_list(of_view, no_place, "name", "query", "pk").union(
            fields.values_list(of_field, "position", "label", "key", "pk"), all=True
        ),
        key=lambda row: row[1:3],
    )
    found = [SavedView(pk=pk, name=n, query=q) for kind, _, n, q, pk in rows if kind == "view"]
    return found, {key: label for kind, _, label, key, _pk in rows if kind == "field"}


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
