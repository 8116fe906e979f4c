"""Many servers in one request: all or none of them, and every problem is told at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.response import Response

from apps.audit.api import idempotent, once
from apps.core.api import ApiRequest, api_view, body_of
from apps.core.api_docs import bulk
from apps.core.problems import BODY, Errors, Problem, errors_flat, errors_of, invalid
from apps.core.stale import StaleObject
from apps.inventory.addresses import resolved_once
from apps.inventory.api.servers import rows
from apps.inventory.models import Server
from apps.inventory.selectors import may_add_servers
from apps.inventory.serializers.answers import ServersMadeSerializer
from apps.inventory.serializers.bodies import (
    ServerBody,
    ServerChangeBody,
    fact_path,
    facts_changed,
    facts_new,
)
from apps.inventory.services import ServerFacts
from apps.inventory.services.all_or_none import (
    MOST_AT_ONCE,
    BulkRefused,
    Refusal,
    ServerChange,
    servers_create,
    servers_update,
)


@bulk("POST", "servers_create", "Add up to 500 servers", ServerBody, ServersMadeSerializer)
@bulk("PATCH", "servers_change", "Change up to 500", ServerChangeBody, ServersMadeSerializer)
@api_view("POST", "PATCH")
@idempotent
def server_bulk(request: ApiRequest) -> Response:
    """Add or change many servers; all of them or none."""
    if not may_add_servers(request.user):
        raise PermissionDenied
    items = _items(request)
    with resolved_once():
        if request.method == "POST":
            facts = _facts_new(request, items)
            return once(request, lambda _key: _created(request, facts))
        changes = _changes(request, items)
        try:
            servers = servers_update(actor=request.user, changes=changes)
        except BulkRefused as error:
            raise _refused(error) from None
        return _stored(request, servers, HTTPStatus.OK)


def _created(request: ApiRequest, facts: list[ServerFacts]) -> Response:
    try:
        servers = servers_create(actor=request.user, facts=facts)
    except BulkRefused as error:
        raise _refused(error) from None
    return _stored(request, servers, HTTPStatus.CREATED)


def _items(request: ApiRequest) -> list[Any]:
    """:raises Problem: 422 before anything else is looked at."""
    items = body_of(request)
    if not isinstance(items, list):
        raise invalid({BODY: [_("A list is expected.")]})
    if not 1 <= len(items) <= MOST_AT_ONCE:
        words = _("1 to %(most)d servers at once; this has %(count)d.")
        raise invalid({BODY: [words % {"most": MOST_AT_ONCE, "count": len(items)}]})
    return items


def _facts_new(request: ApiRequest, items: list[Any]) -> list[ServerFacts]:
    context = {"request": request, "seen": {}}
    bodies: list[dict[str, Any]] = []
    errors: Errors = {}
    for index, item in enumerate(items):
        _check(ServerBody(data=item, context=dict(context)), index, bodies, errors)
    if errors:
        raise invalid(errors)
    return [facts_new(body) for body in bodies]


def _changes(request: ApiRequest, items: list[Any]) -> list[ServerChange]:
    servers, errors = _named(request, items)
    context = {"request": request, "seen": {}}
    bodies: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        row = servers.get(index)
        if row is not None:
            told = {**context, "row": row, "seen": context["seen"]}
            body = ServerChangeBody(data=item, partial=True, context=told)
            _check(body, index, bodies, errors)
    if errors:
        raise invalid(errors)
    return [
        ServerChange(
            server,
            dataclasses.replace(ServerFacts.of(server), **facts_changed(server, body)),
            body.get("version"),
        )
        for server, body in zip(servers.values(), bodies, strict=True)
    ]


def _named(request: ApiRequest, items: list[Any]) -> tuple[dict[int, Server], Errors]:
    """Return the servers that items name, by index; read at once."""
    errors: Errors = {}
    ids: dict[int, int] = {}
    for index, item in enumerate(items):
        pk = item.get("id") if isinstance(item, Mapping) else None
        if isinstance(pk, bool) or not isinstance(pk, int):
            errors[f"{index}.id"] = [_("An id is expected, a whole number.")]
        elif pk in ids.values():
            errors[f"{index}.id"] = [_("Each server once.")]
        else:
            ids[index] = pk
    reachable = [pk for pk in ids.values() if 0 < pk < 2**63]
    found = rows(request).in_bulk(reachable)
    for index, pk in ids.items():
        if pk not in found:
            errors[f"{index}.id"] = [_("Nothing has this id.")]
    return {index: found[pk] for index, pk in ids.items() if pk in found}, errors


def _check(
    body: serializers.Serializer[Any],
    index: int,
    bodies: list[dict[str, Any]],
    errors: Errors,
) -> None:
    if body.is_valid():
        bodies.append(dict(body.validated_data))
    else:
        errors |= errors_flat(body.errors, str(index))


def _refused(error: BulkRefused) -> Problem:
    """Return one problem for all: its status is theirs when they are of one kind, else 422."""
    errors: Errors = {}
    for index, refusal in error.refusals.items():
        errors |= {f"{index}.{path}": words for path, words in _words(refusal).items()}
    kinds = {type(refusal) for refusal in error.refusals.values()}
    if kinds == {PermissionDenied}:
        return Problem(HTTPStatus.FORBIDDEN, errors=errors)
    if kinds == {StaleObject}:
        return Problem(HTTPStatus.PRECONDITION_FAILED, errors=errors)
    return invalid(errors)


def _words(refusal: Refusal) -> Errors:
    if isinstance(refusal, ValidationError):
        return errors_of(refusal, fact_path)
    if isinstance(refusal, PermissionDenied):
        return {"id": [_("Your role does not allow this.")]}
    if isinstance(refusal, StaleObject):
        version = getattr(refusal.current, "version", 0)
        words = _("It was saved by somebody else meanwhile; it has version %(version)d now.")
        return {"version": [words % {"version": version}]}
    return {BODY: [_("Somebody stored the same name or address at this moment.")]}


def _stored(request: ApiRequest, servers: list[Server], status: int) -> Response:
    told = ServersMadeSerializer(
        {"count": len(servers), "results": servers}, context={"request": request}
    )
    return Response(told.data, status=status, headers={"Cache-Control": "no-store"})
