"""Credential profiles: for admins only."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.audit.pages import form_answer, gone_answer, history_answer, posted, removal_answer
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.http import HtmxHttpRequest, redirect_after_post
from apps.inventory import services
from apps.inventory.consequences import profile_removal
from apps.inventory.forms import ProfileForm, RemoveForm
from apps.inventory.models import CredentialProfile
from apps.inventory.words import PROFILE_WORDS


@require_safe
def profile_list(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    rows = CredentialProfile.objects.annotate(bmc_count=Count("bmcs", distinct=True))
    profiles = rows.prefetch_related("clusters").order_by("name")
    return render(request, "inventory/profile_list.html", {"profiles": profiles})


@require_http_methods(["GET", "HEAD", "POST"])
def profile_add(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    form = ProfileForm(posted(request))
    if form.is_valid() and form.store(
        lambda parts: services.profile_create(actor=request.user, **parts.for_create())
    ):
        return redirect_after_post(request, reverse("inventory:profile_list"))
    return form_answer(request, form, "inventory/profile_form.html", {"profile": None})


@require_http_methods(["GET", "HEAD", "POST"])
def profile_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _need_admin(request)
    profile = CredentialProfile.objects.filter(pk=pk).first()
    if profile is None:
        return gone_answer(request, ProfileForm(posted(request)))
    form = ProfileForm(posted(request), profile=profile)
    if form.is_valid() and form.store(
        lambda parts: services.profile_update(
            actor=request.user,
            profile=profile,
            expected_version=form.expected_version,
            **parts.for_update(),
        )
    ):
        return redirect_after_post(request, reverse("inventory:profile_list"))
    return form_answer(request, form, "inventory/profile_form.html", {"profile": profile})


@require_http_methods(["GET", "HEAD", "POST"])
def profile_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _need_admin(request)
    profile = get_object_or_404(CredentialProfile, pk=pk)
    form = RemoveForm(posted(request), row=profile)
    if form.is_valid() and form.does(
        lambda: services.profile_delete(
            actor=request.user, profile=profile, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, reverse("inventory:profile_list"))
    return removal_answer(request, profile_removal(profile), form, _crumbs(profile))


@require_safe
def profile_history(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _need_admin(request)
    profile = get_object_or_404(CredentialProfile, pk=pk)
    return history_answer(request, profile, PROFILE_WORDS, _crumbs(profile), is_admin=True)


def _need_admin(request: HtmxHttpRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied


def _crumbs(profile: CredentialProfile) -> list[tuple[str, str]]:
    return [
        (_("Credential profiles"), reverse("inventory:profile_list")),
        (profile.name, reverse("inventory:profile_edit", args=[profile.pk])),
    ]
