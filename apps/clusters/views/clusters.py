"""Clusters."""

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
from apps.clusters.models import Cluster
from apps.clusters.selectors import clusters_visible, has_everywhere
from apps.clusters.views.common import (
    RemoveForm,
    counted,
    crumbs_of,
    need_admin,
    removal_of,
)
from apps.clusters.words import NAME_WORDS
from apps.core.http import HtmxHttpRequest, redirect_after_post

PAGE = "clusters.cluster"


@require_safe
def cluster_list(request: HtmxHttpRequest) -> HttpResponse:
    context = counted(request.user, PAGE, list(clusters_visible(request.user)))
    return render(request, "clusters/cluster_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def cluster_add(request: HtmxHttpRequest) -> HttpResponse:
    need_admin(request)
    form = NameForm(posted(request), kind=Cluster, row=None)
    if form.is_valid() and form.store(
        lambda name, _version: services.cluster_create(actor=request.user, name=name)
    ):
        return redirect_after_post(request, reverse("clusters:cluster_list"))
    return form_answer(request, form, "clusters/cluster_form.html", {"row": None})


@require_http_methods(["GET", "HEAD", "POST"])
def cluster_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    cluster = clusters_visible(request.user).filter(pk=pk).first()
    if cluster is None:
        return gone_answer(request, NameForm(posted(request), kind=Cluster, row=None))
    need_admin(request)
    form = NameForm(posted(request), kind=Cluster, row=cluster)
    if form.is_valid() and form.store(
        lambda name, version: services.cluster_update(
            actor=request.user, cluster=cluster, name=name, expected_version=version
        )
    ):
        return redirect_after_post(request, reverse("clusters:cluster_list"))
    return form_answer(request, form, "clusters/cluster_form.html", {"row": cluster})


@require_http_methods(["GET", "HEAD", "POST"])
def cluster_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    cluster = get_object_or_404(clusters_visible(request.user), pk=pk)
    need_admin(request)
    form = RemoveForm(posted(request), row=cluster)
    if form.is_valid() and form.does(
        lambda: services.cluster_delete(
            actor=request.user, cluster=cluster, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, reverse("clusters:cluster_list"))
    removal = removal_of(
        cluster, "cluster", _("It goes from filters and from the list of clusters.")
    )
    return removal_answer(request, removal, form, crumbs_of(cluster, "cluster", _("Clusters")))


@require_safe
def cluster_history(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    cluster = get_object_or_404(clusters_visible(request.user), pk=pk)
    is_admin = has_everywhere(request.user, Role.ADMIN)
    crumbs = [(_("Clusters"), reverse("clusters:cluster_list")), (cluster.name, "")]
    return history_answer(request, cluster, NAME_WORDS, crumbs, is_admin=is_admin)
