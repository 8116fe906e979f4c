"""Credential profiles: for admins only."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory import services
from apps.inventory.forms import ProfileForm
from apps.inventory.models import CredentialProfile


@require_safe
def profile_list(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    rows = CredentialProfile.objects.annotate(bmc_count=Count("bmcs", distinct=True))
    profiles = rows.prefetch_related("clusters").order_by("name")
    return render(request, "inventory/profile_list.html", {"profiles": profiles})


@require_http_methods(["GET", "HEAD", "POST"])
def profile_add(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    form = ProfileForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        stored = form.store(
            lambda parts: services.profile_create(actor=request.user, **parts.for_create())
        )
        if stored is not None:
            return redirect_after_post(request, reverse("inventory:profile_list"))
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def profile_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _need_admin(request)
    profile = get_object_or_404(CredentialProfile, pk=pk)
    form = ProfileForm(request.POST if request.method == "POST" else None, profile=profile)
    if request.method == "POST" and form.is_valid():
        stored = form.store(
            lambda parts: services.profile_update(
                actor=request.user, profile=profile, **parts.for_update()
            )
        )
        if stored is not None:
            return redirect_after_post(request, reverse("inventory:profile_list"))
    return _form(request, form, profile)


def _need_admin(request: HtmxHttpRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied


def _form(
    request: HtmxHttpRequest, form: ProfileForm, profile: CredentialProfile | None
) -> HttpResponse:
    name = "_profile_form.html" if is_fragment(request) else "profile_form.html"
    status = 422 if form.is_bound else 200
    context = {"form": form, "profile": profile}
    return render(request, f"inventory/{name}", context, status=status)
