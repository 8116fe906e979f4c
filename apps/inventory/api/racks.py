"""Racks and BMCs over REST."""

from __future__ import annotations

import dataclasses
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.response import Response

from apps.audit.api import idempotent, once
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.api import (
    ApiRequest,
    Listing,
    api_view,
    differences,
    expected_version,
    gone,
    is_read,
    problem_at,
    shown,
    valid,
)
from apps.core.api_docs import creates, details, lists, reads
from apps.core.problems import Problem, refused, stale
from apps.core.stale import StaleObject
from apps.inventory.api_filtersets import BmcFilterSet, RackFilterSet
from apps.inventory.models import Bmc, Rack, Server
from apps.inventory.serializers.answers import BmcSerializer, RackSerializer
from apps.inventory.serializers.bodies import RackBody, rack_flat, rack_new
from apps.inventory.services.racks import RackFacts, rack_create, rack_delete, rack_update

RACKS: Final = Listing(
    RackSerializer,
    {
        "name": ("name",),
        "-name": ("-name",),
        "site": ("site__name", "name"),
        "-site": ("-site__name", "name"),
    },
    RackFilterSet,
)
BMCS: Final = Listing(
    BmcSerializer, {"address": ("address", "port"), "-address": ("-address", "port")}, BmcFilterSet
)


def _racks(request: ApiRequest) -> QuerySet[Rack]:
    return Rack.objects.visible_to(request.user).select_related("site")


def _bmcs(request: ApiRequest) -> QuerySet[Bmc]:
    """Return the BMCs of the servers this person sees, with those servers."""
    seen = Server.objects.visible_to(request.user)
    rows = Bmc.objects.filter(pk__in=seen.values("bmc")).select_related("site", "profile")
    return rows.prefetch_related(Prefetch("servers", seen.order_by("name")))


@lists("rack", RACKS)
@creates("rack", RackBody, RackSerializer)
@api_view("GET", "POST")
@idempotent
def rack_list(request: ApiRequest) -> Response:
    """Racks: where servers stand."""
    if is_read(request):
        return RACKS.answer(request, _racks(request))
    _need_admin(request)
    facts = rack_new(valid(RackBody, request))

    def create(_key: object) -> Response:
        try:
            rack = rack_create(actor=request.user, facts=facts)
        except ValidationError as error:
            raise problem_at(error) from None
        where = reverse("inventory_api:rack_detail", args=[rack.pk])
        return shown(RackSerializer, rack, request, status=HTTPStatus.CREATED, location=where)

    return once(request, create)


@details("rack", RackBody, RackSerializer)
@api_view("GET", "PUT", "PATCH", "DELETE")
def rack_detail(request: ApiRequest, pk: int) -> Response:
    """One rack."""
    rack = get_object_or_404(_racks(request), pk=pk)
    if is_read(request):
        return shown(RackSerializer, rack, request)
    _need_admin(request)
    if request.method == "DELETE":
        version = expected_version(request, rack)
        try:
            rack_delete(actor=request.user, rack=rack, expected_version=version)
        except ValidationError as error:
            raise refused(error, "in_use") from None
        return gone()
    return _rack_save(request, rack)


@lists("bmc", BMCS, "BMCs")
@api_view("GET")
def bmc_list(request: ApiRequest) -> Response:
    """BMCs: where they listen and how the portal logs in. They change through their server."""
    return BMCS.answer(request, _bmcs(request))


@reads("bmc", BmcSerializer, "BMCs")
@api_view("GET")
def bmc_detail(request: ApiRequest, pk: int) -> Response:
    """One BMC. It changes through its server."""
    return shown(BmcSerializer, get_object_or_404(_bmcs(request), pk=pk), request)


def _rack_save(request: ApiRequest, rack: Rack) -> Response:
    is_partial = request.method == "PATCH"
    body = valid(RackBody, request, is_partial=is_partial, row=rack)
    wanted = rack_flat(body)
    facts = dataclasses.replace(RackFacts.of(rack), **wanted) if is_partial else rack_new(body)
    try:
        stored = rack_update(
            actor=request.user,
            rack=rack,
            facts=facts,
            expected_version=expected_version(request, rack, body),
        )
    except ValidationError as error:
        raise problem_at(error) from None
    except StaleObject as error:
        raise _rack_stale(error, wanted) from None
    return shown(RackSerializer, stored, request)


def _rack_stale(error: StaleObject, wanted: dict[str, Any]) -> Problem:
    assert isinstance(error.current, Rack)  # noqa: S101  narrows the type
    current = RackFacts.of(error.current)
    mine = dataclasses.replace(current, **wanted)
    return stale(error, differences=differences(mine.told(), current.told()))


def _need_admin(request: ApiRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied
