"""What happened to a server: what people did, and what was read of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import CharField, F, QuerySet, Value
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.api import ApiRequest, Listing, api_view
from apps.core.api_docs import PAGES, PK, page_of
from apps.inventory.models import Server, StateChange
from apps.inventory.serializers.answers import HappeningSerializer, fault_told


def happenings(server: Server) -> QuerySet[Any]:
    """Return (kind, id, at) of everything in the history of a server, newest first."""
    audit = AuditEntry.objects.filter(
        object_type=server._meta.label_lower, object_id=str(server.pk)
    )
    states = StateChange.objects.filter(server=server)
    return _keys(audit, "audit").union(_keys(states, "state"), all=True).order_by("-moment", "-row")


def _keys(rows: QuerySet[Any], kind: str) -> QuerySet[Any]:
    told = rows.order_by().annotate(kind=Value(kind, CharField()), row=F("pk"), moment=F("at"))
    keys: QuerySet[Any] = told.values_list("kind", "row", "moment")
    return keys


def _told(page: Iterable[tuple[str, int, Any]], *, with_values: bool) -> list[dict[str, Any]]:
    """Return the rows of one page in full; two queries, however many they are."""
    keys = list(page)
    entries = AuditEntry.objects.in_bulk([pk for kind, pk, _at in keys if kind == "audit"])
    changes = StateChange.objects.in_bulk([pk for kind, pk, _at in keys if kind == "state"])
    return [
        {
            "at": at,
            "kind": kind,
            "audit": _audit(entries[pk], with_values) if kind == "audit" else None,
            "state": _state(changes[pk]) if kind == "state" else None,
        }
        for kind, pk, at in keys
        if pk in (entries if kind == "audit" else changes)
    ]


def _audit(entry: AuditEntry, with_values: bool) -> dict[str, Any]:
    before, after = entry.before or {}, entry.after or {}
    job = after.get("job")
    return {
        "action": entry.action,
        "actor": entry.actor_name,
        "reason": entry.reason,
        "changed": [key for key in after if before.get(key) != after[key]] if before else [],
        "job": job if isinstance(job, int) else None,
        "before": entry.before if with_values else None,
        "after": entry.after if with_values else None,
    }


def _state(change: StateChange) -> dict[str, Any]:
    return {
        "before": change.before,
        "after": change.after,
        "fault": fault_told(change.fault, change.fault_params, change.at),
    }


HISTORY = Listing(HappeningSerializer, {})


@extend_schema(
    operation_id="server_history",
    summary="What happened to a server, newest first",
    tags=["servers"],
    parameters=[PK, *PAGES],
    responses=page_of(HISTORY),
)
@api_view("GET")
def server_history(request: ApiRequest, pk: int) -> Response:
    """Orders and changes by people, and changes of the power state, newest first."""
    server = get_object_or_404(Server.objects.visible_to(request.user), pk=pk)
    with_values = has_everywhere(request.user, Role.ADMIN)
    return HISTORY.answer(
        request, happenings(server), of_page=lambda page: _told(page, with_values=with_values)
    )
