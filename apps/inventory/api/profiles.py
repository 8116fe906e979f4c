"""Credential profiles over REST, for admins only. Secrets are written, never read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
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
from apps.core.api_docs import creates, details, lists
from apps.core.problems import refused, stale
from apps.core.stale import StaleObject
from apps.inventory import services
from apps.inventory.api_filtersets import ProfileFilterSet
from apps.inventory.choices import PRIVILEGE_WORDS, PrivilegeChoice
from apps.inventory.models import CredentialProfile
from apps.inventory.serializers.answers import ProfileSerializer
from apps.inventory.serializers.bodies import PROFILE_FACTS, ProfileBody, profile_facts
from apps.inventory.services.profiles import profile_delete

PROFILES: Final = Listing(
    ProfileSerializer, {"name": ("name",), "-name": ("-name",)}, ProfileFilterSet
)


def _profiles() -> QuerySet[CredentialProfile]:
    return CredentialProfile.objects.prefetch_related("clusters")


@lists("profile", PROFILES)
@creates("profile", ProfileBody, ProfileSerializer)
@api_view("GET", "POST")
@idempotent
def profile_list(request: ApiRequest) -> Response:
    """Credential profiles: accounts on BMCs. For admins only."""
    _need_admin(request)
    if is_read(request):
        return PROFILES.answer(request, _profiles())
    body = valid(ProfileBody, request)
    facts, clusters = profile_facts(body, None)

    def create(_key: object) -> Response:
        profile = services.profile_create(
            actor=request.user,
            facts=facts,
            clusters=clusters,
            password=body["password"],
            kg=body.get("kg"),
        )
        where = reverse("inventory_api:profile_detail", args=[profile.pk])
        return shown(ProfileSerializer, profile, request, status=HTTPStatus.CREATED, location=where)

    return once(request, create)


@details("profile", ProfileBody, ProfileSerializer)
@api_view("GET", "PUT", "PATCH", "DELETE")
def profile_detail(request: ApiRequest, pk: int) -> Response:
    """One credential profile. For admins only."""
    _need_admin(request)
    profile = get_object_or_404(_profiles(), pk=pk)
    if is_read(request):
        return shown(ProfileSerializer, profile, request)
    if request.method == "DELETE":
        version = expected_version(request, profile)
        try:
            profile_delete(actor=request.user, profile=profile, expected_version=version)
        except ValidationError as error:
            raise refused(error, "in_use") from None
        return gone()
    return _save(request, profile)


def _save(request: ApiRequest, profile: CredentialProfile) -> Response:
    is_partial = request.method == "PATCH"
    body = valid(ProfileBody, request, is_partial=is_partial, row=profile)
    facts, clusters = profile_facts(body, profile if is_partial else None)
    try:
        services.profile_update(
            actor=request.user,
            profile=profile,
            facts=facts,
            clusters=clusters,
            password=body.get("password"),
            kg=body.get("kg"),
            expected_version=expected_version(request, profile, body),
        )
    except ValidationError as error:
        raise problem_at(error) from None
    except StaleObject as error:
        current = ProfileSerializer(
            _profiles().get(pk=profile.pk), context={"request": request}
        ).data
        raise stale(error, differences=differences(_told(body), current)) from None
    return shown(ProfileSerializer, _profiles().get(pk=profile.pk), request)


def _told(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a body wants as answers tell it, without the secrets."""
    wanted = {name: value for name, value in body.items() if name in PROFILE_FACTS}
    if "privilege" in wanted:
        wanted["privilege"] = PRIVILEGE_WORDS[PrivilegeChoice(wanted["privilege"])]
    if "clusters" in wanted:
        wanted["clusters"] = [{"id": one.pk, "name": one.name} for one in wanted["clusters"]]
    return wanted


def _need_admin(request: ApiRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied
