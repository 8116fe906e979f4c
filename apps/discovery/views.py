"""Ordering a connection test, and its answer."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.rates import is_sent, rated
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.discovery.doors import panel
from apps.discovery.forms import ConnectionTestForm
from apps.discovery.pages import shown
from apps.discovery.selectors import newest_test, tests_visible_to
from apps.discovery.services import connection_test_order, connection_test_settle
from apps.inventory.models import Server
from apps.inventory.selectors import may_add_servers, may_operate, servers_full
from apps.inventory.services import ServerFacts


@require_POST
@rated("connection_test")
def test_order(request: HtmxHttpRequest) -> HttpResponse:
    """Test what was typed about a server that is not there yet."""
    if not may_add_servers(request.user):
        raise PermissionDenied
    return _order_typed(request, None)


@require_POST
@rated("connection_test")
def test_typed(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Test what was typed about a server; nothing of it is stored."""
    return _order_typed(request, _operable(request, pk))


@require_http_methods(["GET", "HEAD", "POST"])
@rated("connection_test", when=is_sent)
def test_server(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Test a server as it is in the record; or show the last such test."""
    if request.method == "POST":
        return _order_stored(request, _operable(request, pk))
    server = get_object_or_404(servers_full(request.user), pk=pk)
    if not is_fragment(request):
        return redirect(server)
    if (test := newest_test(server)) is not None:
        connection_test_settle(test=test)
    return render(request, "discovery/_server_test_now.html", panel(server))


@require_safe
def test_detail(request: HtmxHttpRequest, pk: uuid.UUID) -> HttpResponse:
    test = get_object_or_404(tests_visible_to(request.user).select_related("server"), pk=pk)
    connection_test_settle(test=test)
    name = "_connection_test.html" if is_fragment(request) else "connection_test.html"
    return render(request, f"discovery/{name}", {"t": shown(test)})


def _order_typed(request: HtmxHttpRequest, server: Server | None) -> HttpResponse:
    form = ConnectionTestForm(request.POST, actor=request.user, server=server)
    test = form.order()
    if test is None:
        name = "_connection_test_problems.html" if is_fragment(request) else "problems.html"
        context = {"form": form, "server": server}
        return render(request, f"discovery/{name}", context, status=422)
    if not is_fragment(request):
        return redirect_after_post(request, test.get_absolute_url())
    return render(request, "discovery/_connection_test.html", {"t": shown(test)}, status=202)


def _order_stored(request: HtmxHttpRequest, server: Server) -> HttpResponse:
    try:
        connection_test_order(actor=request.user, facts=ServerFacts.of(server), server=server)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    if not is_fragment(request):
        return redirect_after_post(request, f"{server.get_absolute_url()}#server-test")
    if not messages.get_messages(request):
        words = _("Testing, at most 5 s."), _("Show the answer")
        messages.info(request, format_html('{} <a href="#server-test">{}</a>', *words))
    return render(request, "discovery/_server_test_ordered.html", panel(server), status=202)


def _operable(request: HtmxHttpRequest, pk: int) -> Server:
    """:raises Http404: not visible. :raises PermissionDenied: visible, but not theirs to test."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    if not may_operate(request.user, server):
        raise PermissionDenied
    return server
