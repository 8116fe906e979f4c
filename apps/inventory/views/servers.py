"""The server list, a server's page, and its forms."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.clusters.choices import Role
from apps.clusters.models import Site
from apps.clusters.selectors import has_everywhere
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory import services
from apps.inventory.forms import ServerForm
from apps.inventory.models import Server
from apps.inventory.selectors import (
    actions_for,
    may_add_servers,
    may_operate,
    servers_full,
)
from apps.inventory.services.reading import server_read_now


@require_safe
def server_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = get_object_or_404(servers_full(request.user), pk=pk)
    actions = actions_for(request.user, server)
    context = {
        "server": server,
        "actions": actions,
        "has_danger": any(action.is_danger for action in actions),
        "may_edit": may_operate(request.user, server),
    }
    return render(request, "inventory/server_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def server_add(request: HtmxHttpRequest) -> HttpResponse:
    if not may_add_servers(request.user):
        raise PermissionDenied
    form = ServerForm(request.POST if request.method == "POST" else None, actor=request.user)
    if request.method == "POST" and form.is_valid():
        server = form.store(lambda facts: services.server_create(actor=request.user, facts=facts))
        if server is not None:
            return redirect_after_post(request, server.get_absolute_url())
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def server_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = _operable(request, pk)
    form = ServerForm(
        request.POST if request.method == "POST" else None, actor=request.user, server=server
    )
    if request.method == "POST" and form.is_valid():
        stored = form.store(
            lambda facts: services.server_update(actor=request.user, server=server, facts=facts)
        )
        if stored is not None:
            return redirect_after_post(request, stored.get_absolute_url())
    return _form(request, form, server)


@require_http_methods(["GET", "HEAD", "POST"])
def server_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = _operable(request, pk)
    if request.method == "POST":
        services.server_delete(actor=request.user, server=server)
        return redirect_after_post(request, reverse("inventory:server_list"))
    name = "_server_delete.html" if is_fragment(request) else "server_delete.html"
    return render(request, f"inventory/{name}", {"server": server})


@require_POST
def server_read(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = get_object_or_404(servers_full(request.user), pk=pk)
    is_forgiven = server_read_now(actor=request.user, server=server)
    if not is_fragment(request):
        return redirect_after_post(request, server.get_absolute_url())
    context = {"server": server, "is_asked": True, "is_forgiven": is_forgiven}
    return render(request, "inventory/_server_state.html", context, status=202)


def _operable(request: HtmxHttpRequest, pk: int) -> Server:
    """:raises Http404: not visible. :raises PermissionDenied: visible, but not theirs to change."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    if not may_operate(request.user, server):
        raise PermissionDenied
    return server


def _form(request: HtmxHttpRequest, form: ServerForm, server: Server | None) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "server": server,
        "lacks_site": not Site.objects.exists(),
        "may_add_site": has_everywhere(request.user, Role.ADMIN),
        "bmc_networks": ", ".join(map(str, settings.BMC_NETWORKS)),
    }
    name = "_server_form.html" if is_fragment(request) else "server_form.html"
    status = 422 if form.is_bound else 200
    return render(request, f"inventory/{name}", context, status=status)
