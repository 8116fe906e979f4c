"""The server list, a server's page, and its forms."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.pages import form_answer, gone_answer, history_answer, posted, removal_answer
from apps.clusters.choices import Role
from apps.clusters.models import Site
from apps.clusters.selectors import has_everywhere
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory import services
from apps.inventory.consequences import server_removal
from apps.inventory.forms import RemoveForm, ServerForm
from apps.inventory.models import Server
from apps.inventory.selectors import (
    actions_for,
    history_mask,
    may_add_servers,
    may_operate,
    servers_full,
    tags_for,
)
from apps.inventory.services.reading import server_read_now
from apps.inventory.words import custom_values, server_words


@require_safe
def server_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = get_object_or_404(servers_full(request.user), pk=pk)
    actions = actions_for(request.user, server)
    context = {
        "server": server,
        "actions": actions,
        "has_danger": any(action.is_danger for action in actions),
        "may_edit": may_operate(request.user, server),
        "custom_values": custom_values(server),
    }
    return render(request, "inventory/server_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def server_add(request: HtmxHttpRequest) -> HttpResponse:
    if not may_add_servers(request.user):
        raise PermissionDenied
    form = ServerForm(posted(request), actor=request.user)
    if form.is_valid():
        server = form.store(lambda facts: services.server_create(actor=request.user, facts=facts))
        if server is not None:
            return redirect_after_post(request, server.get_absolute_url())
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def server_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = servers_full(request.user).filter(pk=pk).first()
    if server is None:
        return gone_answer(request, ServerForm(posted(request), actor=request.user))
    if not may_operate(request.user, server):
        raise PermissionDenied
    form = ServerForm(posted(request), actor=request.user, server=server)
    if form.is_valid():
        stored = form.store(
            lambda facts: services.server_update(
                actor=request.user,
                server=server,
                facts=facts,
                expected_version=form.expected_version,
            )
        )
        if stored is not None:
            return redirect_after_post(request, stored.get_absolute_url())
    return _form(request, form, server)


@require_http_methods(["GET", "HEAD", "POST"])
def server_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = _operable(request, pk)
    form = RemoveForm(posted(request), row=server)
    if form.is_valid() and form.does(
        lambda: services.server_delete(
            actor=request.user, server=server, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, reverse("inventory:server_list"))
    return removal_answer(request, server_removal(request.user, server), form, _crumbs(server))


@require_safe
def server_history(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    server = get_object_or_404(servers_full(request.user), pk=pk)
    is_admin = has_everywhere(request.user, Role.ADMIN)
    mask = history_mask(request.user)
    return history_answer(
        request, server, server_words(), _crumbs(server), is_admin=is_admin, mask=mask
    )


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


def _crumbs(server: Server) -> list[tuple[str, str]]:
    return [
        (_("Servers"), reverse("inventory:server_list")),
        (server.name, server.get_absolute_url()),
    ]


def _form(request: HtmxHttpRequest, form: ServerForm, server: Server | None) -> HttpResponse:
    context: dict[str, Any] = {
        "server": server,
        "tag_names": tags_for(request.user),
        "lacks_site": not Site.objects.exists(),
        "may_add_site": has_everywhere(request.user, Role.ADMIN),
        "bmc_networks": ", ".join(map(str, settings.BMC_NETWORKS)),
    }
    return form_answer(request, form, "inventory/server_form.html", context)
