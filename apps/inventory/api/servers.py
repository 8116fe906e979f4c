"""Servers over REST."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.response import Response

from apps.audit.api import idempotent, once
from apps.audit.rates import rated_api
from apps.core.api import (
    ApiRequest,
    Listing,
    Orderings,
    api_view,
    differences,
    expected_version,
    gone,
    is_read,
    problem_at,
    shown,
    valid,
)
from apps.core.api_docs import acts, creates, details, lists
from apps.core.problems import Problem, refused, stale
from apps.core.stale import StaleObject
from apps.inventory import services
from apps.inventory.addresses import resolved_once
from apps.inventory.filtersets import ServerFilterSet, is_search
from apps.inventory.models import Server, ServerQuerySet
from apps.inventory.selectors import may_add_servers, may_operate, servers_full
from apps.inventory.serializers.answers import ReadAskedSerializer, ServerSerializer
from apps.inventory.serializers.bodies import (
    ServerBody,
    fact_path,
    facts_changed,
    facts_flat,
    facts_new,
)
from apps.inventory.services import ServerFacts
from apps.inventory.services.reading import server_read_now

ORDERINGS: Final[Orderings] = {
    "name": ("name",),
    "-name": ("-name",),
    "power": ("status__power", "name"),
    "-power": ("-status__power", "name"),
    "read_at": ("status__power_read_at", "name"),
    "-read_at": ("-status__power_read_at", "name"),
    "model": ("model", "name"),
    "-model": ("-model", "name"),
    "rack": ("rack__name", "rack_unit", "name"),
    "-rack": ("-rack__name", "-rack_unit", "name"),
    "created_at": ("created_at",),
    "-created_at": ("-created_at",),
    "updated_at": ("updated_at",),
    "-updated_at": ("-updated_at",),
}
SERVERS: Final = Listing(ServerSerializer, ORDERINGS, ServerFilterSet)


def rows(request: ApiRequest) -> ServerQuerySet:
    """Return the visible servers with all that an answer tells of them."""
    return servers_full(request.user).prefetch_related("tags")


@lists("server", SERVERS)
@creates("server", ServerBody, ServerSerializer)
@api_view("GET", "POST")
@rated_api("search", when=is_search)
@idempotent
def server_list(request: ApiRequest) -> Response:
    """Servers, with what was last read of them."""
    if is_read(request):
        return SERVERS.answer(request, rows(request))
    if not may_add_servers(request.user):
        raise PermissionDenied
    with resolved_once():
        facts = facts_new(valid(ServerBody, request))

        def create(_key: object) -> Response:
            with at_fields():
                server = services.server_create(actor=request.user, facts=facts)
            return _shown(request, server.pk, HTTPStatus.CREATED)

        return once(request, create)


@details("server", ServerBody, ServerSerializer)
@api_view("GET", "PUT", "PATCH", "DELETE")
def server_detail(request: ApiRequest, pk: int) -> Response:
    """One server."""
    server = get_object_or_404(rows(request), pk=pk)
    if is_read(request):
        return shown(ServerSerializer, server, request)
    if not may_operate(request.user, server):
        raise PermissionDenied
    if request.method == "DELETE":
        version = expected_version(request, server)
        try:
            services.server_delete(actor=request.user, server=server, expected_version=version)
        except ValidationError as error:
            raise refused(error, "protected") from None
        return gone()
    return _save(request, server)


@acts(
    "server_read_now",
    "Read the state of a server now",
    "servers",
    ReadAskedSerializer,
    status=202,
)
@api_view("POST")
@idempotent
def server_read(request: ApiRequest, pk: int) -> Response:
    """Make its BMC due at once. The reading comes within seconds; the server tells when."""
    server = get_object_or_404(rows(request), pk=pk)

    def read(_key: object) -> Response:
        is_forgiven = server_read_now(actor=request.user, server=server)
        told = {"server": server, "is_refused_password_tried_again": is_forgiven}
        answer = ReadAskedSerializer(told, context={"request": request})
        where = request.build_absolute_uri(server_url(server.pk))
        return Response(answer.data, status=HTTPStatus.ACCEPTED, headers={"Location": where})

    return once(request, read)


def server_url(pk: int) -> str:
    return reverse("inventory_api:server_detail", args=[pk])


@contextmanager
def at_fields() -> Iterator[None]:
    """Turn a service's complaint into the 422 that names fields of the body."""
    try:
        yield
    except ValidationError as error:
        raise problem_at(error, fact_path) from None


def facts_of_change(server: Server, body: Mapping[str, Any], *, is_partial: bool) -> ServerFacts:
    if is_partial:
        return dataclasses.replace(ServerFacts.of(server), **facts_changed(server, body))
    return facts_new(body)


def stale_problem(error: StaleObject, change: Callable[[Server], dict[str, Any]]) -> Problem:
    """Return the 412 with the fields in which the change differs from what is stored by now."""
    current = error.current
    assert isinstance(current, Server)  # noqa: S101  narrows the type
    before = ServerFacts.of(current)
    wanted = dataclasses.replace(before, **change(current)).told()
    found = differences(wanted, before.told())
    return stale(error, differences={fact_path(name): told for name, told in found.items()})


def _save(request: ApiRequest, server: Server) -> Response:
    is_partial = request.method == "PATCH"
    with resolved_once(), at_fields():
        body = valid(ServerBody, request, is_partial=is_partial, row=server)
        change = facts_changed if is_partial else lambda _server, body: facts_flat(body)
        try:
            services.server_update(
                actor=request.user,
                server=server,
                facts=facts_of_change(server, body, is_partial=is_partial),
                expected_version=expected_version(request, server, body),
            )
        except StaleObject as error:
            raise stale_problem(error, lambda current: change(current, body)) from None
    return _shown(request, server.pk, HTTPStatus.OK)


def _shown(request: ApiRequest, pk: int, status: int) -> Response:
    server = rows(request).get(pk=pk)
    where = server_url(pk) if status == HTTPStatus.CREATED else ""
    return shown(ServerSerializer, server, request, status=status, location=where)
