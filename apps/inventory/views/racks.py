"""Racks: the list, the front of one, and what admins change."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.audit.pages import form_answer, gone_answer, history_answer, posted, removal_answer
from apps.clusters.choices import Role
from apps.clusters.models import Site
from apps.clusters.selectors import has_everywhere, sites_visible
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory import services
from apps.inventory.consequences import rack_removal
from apps.inventory.elevation import elevation_of, rack_rows
from apps.inventory.forms import RackForm, RemoveForm
from apps.inventory.models import Rack
from apps.inventory.words import RACK_WORDS

PAGE_SIZE: Final = 100


@require_safe
def rack_list(request: HtmxHttpRequest) -> HttpResponse:
    site = _site_asked(request)
    racks = Rack.objects.visible_to(request.user).select_related("site")
    racks = racks.order_by("site__name", "name", "pk")
    page = Paginator(racks.filter(site=site) if site else racks, PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    context = {
        "page_obj": page,
        "rows": rack_rows(request.user, list(page.object_list)),
        "site": site,
        "counted_at": timezone.now(),
        "may_change": has_everywhere(request.user, Role.ADMIN),
    }
    name = "_rack_list.html" if is_fragment(request) else "rack_list.html"
    return render(request, f"inventory/{name}", context)


@require_safe
def rack_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    racks = Rack.objects.visible_to(request.user).select_related("site")
    rack = get_object_or_404(racks, pk=pk)
    context = {
        "rack": rack,
        "front": elevation_of(request.user, rack),
        "may_change": has_everywhere(request.user, Role.ADMIN),
    }
    name = "_rack_front.html" if is_fragment(request) else "rack_detail.html"
    return render(request, f"inventory/{name}", context)


@require_http_methods(["GET", "HEAD", "POST"])
def rack_add(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    form = RackForm(posted(request))
    if form.is_valid():
        rack = form.store(lambda facts: services.rack_create(actor=request.user, facts=facts))
        if rack is not None:
            return redirect_after_post(request, rack.get_absolute_url())
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def rack_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    rack = Rack.objects.visible_to(request.user).select_related("site").filter(pk=pk).first()
    if rack is None:
        return gone_answer(request, RackForm(posted(request)))
    _need_admin(request)
    form = RackForm(posted(request), rack=rack)
    if form.is_valid():
        stored = form.store(
            lambda facts: services.rack_update(
                actor=request.user, rack=rack, facts=facts, expected_version=form.expected_version
            )
        )
        if stored is not None:
            return redirect_after_post(request, stored.get_absolute_url())
    return _form(request, form, rack)


@require_http_methods(["GET", "HEAD", "POST"])
def rack_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    racks = Rack.objects.visible_to(request.user).select_related("site")
    rack = get_object_or_404(racks, pk=pk)
    _need_admin(request)
    form = RemoveForm(posted(request), row=rack)
    if form.is_valid() and form.does(
        lambda: services.rack_delete(
            actor=request.user, rack=rack, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, reverse("inventory:rack_list"))
    return removal_answer(request, rack_removal(rack), form, _crumbs(rack))


@require_safe
def rack_history(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    rack = get_object_or_404(Rack.objects.visible_to(request.user), pk=pk)
    is_admin = has_everywhere(request.user, Role.ADMIN)
    return history_answer(request, rack, RACK_WORDS, _crumbs(rack), is_admin=is_admin)


def _need_admin(request: HtmxHttpRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied


def _site_asked(request: HtmxHttpRequest) -> Site | None:
    """Return the site of `?site=`; one that is not there, or not visible, is a 404."""
    asked = request.GET.get("site", "")
    if not asked:
        return None
    pk = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else 0
    return get_object_or_404(sites_visible(request.user), pk=pk)


def _crumbs(rack: Rack) -> list[tuple[str, str]]:
    return [(_("Racks"), reverse("inventory:rack_list")), (rack.name, rack.get_absolute_url())]


def _form(request: HtmxHttpRequest, form: RackForm, rack: Rack | None) -> HttpResponse:
    context: dict[str, Any] = {"rack": rack, "lacks_site": not Site.objects.exists()}
    return form_answer(request, form, "inventory/rack_form.html", context)
