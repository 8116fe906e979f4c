"""Sites."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.audit.pages import form_answer, gone_answer, history_answer, posted, removal_answer
from apps.clusters import services
from apps.clusters.choices import Role
from apps.clusters.forms import NameForm
from apps.clusters.models import Site
from apps.clusters.selectors import has_everywhere, sites_visible
from apps.clusters.views.common import (
    RemoveForm,
    counted,
    crumbs_of,
    need_admin,
    removal_of,
)
from apps.clusters.words import NAME_WORDS
from apps.core.http import HtmxHttpRequest, redirect_after_post
from apps.core.usage import usage_counts

PAGE = "clusters.site"


@require_safe
def site_list(request: HtmxHttpRequest) -> HttpResponse:
    context = counted(request.user, PAGE, list(sites_visible(request.user)))
    return render(request, "clusters/site_list.html", context)


@require_safe
def site_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(sites_visible(request.user), pk=pk)
    context = {
        "site": site,
        "counts": usage_counts(PAGE, request.user, [site])[site.pk],
        "may_change": has_everywhere(request.user, Role.ADMIN),
    }
    return render(request, "clusters/site_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def site_add(request: HtmxHttpRequest) -> HttpResponse:
    need_admin(request)
    form = NameForm(posted(request), kind=Site, row=None)
    if form.is_valid() and form.store(
        lambda name, _version: services.site_create(actor=request.user, name=name)
    ):
        return redirect_after_post(request, reverse("clusters:site_list"))
    return form_answer(request, form, "clusters/site_form.html", {"row": None})


@require_http_methods(["GET", "HEAD", "POST"])
def site_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    site = sites_visible(request.user).filter(pk=pk).first()
    if site is None:
        return gone_answer(request, NameForm(posted(request), kind=Site, row=None))
    need_admin(request)
    form = NameForm(posted(request), kind=Site, row=site)
    if form.is_valid() and form.store(
        lambda name, version: services.site_update(
            actor=request.user, site=site, name=name, expected_version=version
        )
    ):
        return redirect_after_post(request, reverse("clusters:site_list"))
    return form_answer(request, form, "clusters/site_form.html", {"row": site})


@require_http_methods(["GET", "HEAD", "POST"])
def site_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(sites_visible(request.user), pk=pk)
    need_admin(request)
    form = RemoveForm(posted(request), row=site)
    if form.is_valid() and form.does(
        lambda: services.site_delete(
            actor=request.user, site=site, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, reverse("clusters:site_list"))
    removal = removal_of(site, "site", _("It goes from the list of sites and racks."))
    return removal_answer(request, removal, form, crumbs_of(site, "site", _("Sites")))


@require_safe
def site_history(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(sites_visible(request.user), pk=pk)
    is_admin = has_everywhere(request.user, Role.ADMIN)
    crumbs = [
        (_("Sites"), reverse("clusters:site_list")),
        (site.name, reverse("clusters:site_detail", args=[site.pk])),
    ]
    return history_answer(request, site, NAME_WORDS, crumbs, is_admin=is_admin)
