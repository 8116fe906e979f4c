"""Sites and clusters over REST: everybody reads those they reach, admins change them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.response import Response

from apps.audit.api import idempotent, once
from apps.clusters import services
from apps.clusters.choices import Role
from apps.clusters.filtersets import ClusterFilterSet, SiteFilterSet
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import clusters_visible, has_everywhere, sites_visible
from apps.clusters.serializers import (
    ClusterBody,
    ClusterSerializer,
    SiteBody,
    SiteSerializer,
    facts_told,
)
from apps.core.api import (
    ApiRequest,
    Listing,
    api_view,
    differences,
    expected_version,
    gone,
    is_read,
    shown,
    valid,
)
from apps.core.api_docs import creates, details, lists
from apps.core.problems import refused, stale
from apps.core.stale import StaleObject

_ORDERINGS: Final = {"name": ("name",), "-name": ("-name",)}
SITES: Final = Listing(SiteSerializer, _ORDERINGS, SiteFilterSet)
CLUSTERS: Final = Listing(ClusterSerializer, _ORDERINGS, ClusterFilterSet)


@lists("site", SITES)
@creates("site", SiteBody, SiteSerializer)
@api_view("GET", "POST")
@idempotent
def site_list(request: ApiRequest) -> Response:
    """Sites: places with their own BMC network."""
    if is_read(request):
        return SITES.answer(request, sites_visible(request.user))
    _need_admin(request)
    body = valid(SiteBody, request)

    def create(_key: object) -> Response:
        site = services.site_create(actor=request.user, name=body["name"])
        return _created(request, site)

    return once(request, create)


@details("site", SiteBody, SiteSerializer)
@api_view("GET", "PUT", "PATCH", "DELETE")
def site_detail(request: ApiRequest, pk: int) -> Response:
    """One site."""
    site = get_object_or_404(sites_visible(request.user), pk=pk)
    if is_read(request):
        return shown(SiteSerializer, site, request)
    _need_admin(request)
    if request.method == "DELETE":
        version = expected_version(request, site)
        try:
            services.site_delete(actor=request.user, site=site, expected_version=version)
        except ValidationError as error:
            raise refused(error, "in_use") from None
        return gone()
    return _save(request, site)


@lists("cluster", CLUSTERS)
@creates("cluster", ClusterBody, ClusterSerializer)
@api_view("GET", "POST")
@idempotent
def cluster_list(request: ApiRequest) -> Response:
    """Clusters: servers that serve one purpose, and the scope of roles."""
    if is_read(request):
        return CLUSTERS.answer(request, clusters_visible(request.user))
    _need_admin(request)
    body = valid(ClusterBody, request)

    def create(_key: object) -> Response:
        cluster = services.cluster_create(actor=request.user, name=body["name"])
        return _created(request, cluster)

    return once(request, create)


@details("cluster", ClusterBody, ClusterSerializer)
@api_view("GET", "PUT", "PATCH", "DELETE")
def cluster_detail(request: ApiRequest, pk: int) -> Response:
    """One cluster."""
    cluster = get_object_or_404(clusters_visible(request.user), pk=pk)
    if is_read(request):
        return shown(ClusterSerializer, cluster, request)
    _need_admin(request)
    if request.method == "DELETE":
        version = expected_version(request, cluster)
        try:
            services.cluster_delete(actor=request.user, cluster=cluster, expected_version=version)
        except ValidationError as error:
            raise refused(error, "in_use") from None
        return gone()
    return _save(request, cluster)


def _created(request: ApiRequest, row: Site | Cluster) -> Response:
    is_site = isinstance(row, Site)
    where = reverse(f"clusters_api:{'site' if is_site else 'cluster'}_detail", args=[row.pk])
    serializer = SiteSerializer if is_site else ClusterSerializer
    return shown(serializer, row, request, status=HTTPStatus.CREATED, location=where)


def _save(request: ApiRequest, row: Site | Cluster) -> Response:
    body_of_row = SiteBody if isinstance(row, Site) else ClusterBody
    body = valid(body_of_row, request, is_partial=request.method == "PATCH", row=row)
    name = body.get("name", row.name)
    try:
        version = expected_version(request, row, body)
        if isinstance(row, Site):
            site = services.site_update(
                actor=request.user, site=row, name=name, expected_version=version
            )
            return shown(SiteSerializer, site, request)
        cluster = services.cluster_update(
            actor=request.user, cluster=row, name=name, expected_version=version
        )
        return shown(ClusterSerializer, cluster, request)
    except StaleObject as error:
        current = {"name": str(error.current)}
        raise stale(error, differences=differences(facts_told(body), current)) from None


def _need_admin(request: ApiRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied
