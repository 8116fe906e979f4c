"""Clusters and sites: everybody sees those they reach, admins change them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.clusters import services
from apps.clusters.choices import Role
from apps.clusters.forms import NameForm
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import clusters_visible, has_everywhere, sites_visible
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post


@require_safe
def cluster_list(request: HtmxHttpRequest) -> HttpResponse:
    context = {
        "clusters": clusters_visible(request.user),
        "may_change": has_everywhere(request.user, Role.ADMIN),
    }
    return render(request, "clusters/cluster_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def cluster_add(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    form = NameForm(_posted(request), kind=Cluster, row=None)
    if form.is_valid() and form.store(
        lambda name: services.cluster_create(actor=request.user, name=name)
    ):
        return redirect_after_post(request, reverse("clusters:cluster_list"))
    return _form(request, form, "cluster")


@require_http_methods(["GET", "HEAD", "POST"])
def cluster_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    cluster = get_object_or_404(clusters_visible(request.user), pk=pk)
    _need_admin(request)
    form = NameForm(_posted(request), kind=Cluster, row=cluster)
    if form.is_valid() and form.store(
        lambda name: services.cluster_update(actor=request.user, cluster=cluster, name=name)
    ):
        return redirect_after_post(request, reverse("clusters:cluster_list"))
    return _form(request, form, "cluster")


@require_safe
def site_list(request: HtmxHttpRequest) -> HttpResponse:
    context = {
        "sites": sites_visible(request.user),
        "may_change": has_everywhere(request.user, Role.ADMIN),
    }
    return render(request, "clusters/site_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def site_add(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    form = NameForm(_posted(request), kind=Site, row=None)
    if form.is_valid() and form.store(
        lambda name: services.site_create(actor=request.user, name=name)
    ):
        return redirect_after_post(request, reverse("clusters:site_list"))
    return _form(request, form, "site")


@require_http_methods(["GET", "HEAD", "POST"])
def site_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(sites_visible(request.user), pk=pk)
    _need_admin(request)
    form = NameForm(_posted(request), kind=Site, row=site)
    if form.is_valid() and form.store(
        lambda name: services.site_update(actor=request.user, site=site, name=name)
    ):
        return redirect_after_post(request, reverse("clusters:site_list"))
    return _form(request, form, "site")


def _posted(request: HtmxHttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _need_admin(request: HtmxHttpRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied


def _form(request: HtmxHttpRequest, form: NameForm, noun: str) -> HttpResponse:
    name = f"clusters/_{noun}_form.html" if is_fragment(request) else f"clusters/{noun}_form.html"
    status = 422 if form.is_bound else 200
    return render(request, name, {"form": form, "row": form.row}, status=status)
