"""Fields that an organisation adds to its servers: for admins only."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
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
from apps.inventory.consequences import customfield_removal
from apps.inventory.forms import CustomFieldForm, RemoveForm
from apps.inventory.models import CustomField
from apps.inventory.selectors import customfield_counts
from apps.inventory.words import CUSTOMFIELD_WORDS


@require_safe
def customfield_list(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    fields = list(CustomField.objects.all())
    counts = customfield_counts(fields)
    rows = [{"field": field, "count": counts[field.pk]} for field in fields]
    return render(request, "inventory/customfield_list.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def customfield_add(request: HtmxHttpRequest) -> HttpResponse:
    _need_admin(request)
    form = CustomFieldForm(posted(request))
    if form.is_valid() and form.store(
        lambda facts: services.customfield_create(actor=request.user, facts=facts)
    ):
        return redirect_after_post(request, reverse("inventory:customfield_list"))
    return form_answer(request, form, "inventory/customfield_form.html", {"field": None})


@require_http_methods(["GET", "HEAD", "POST"])
def customfield_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _need_admin(request)
    field = CustomField.objects.filter(pk=pk).first()
    if field is None:
        return gone_answer(request, CustomFieldForm(posted(request)))
    form = CustomFieldForm(posted(request), field=field)
    if form.is_valid() and form.store(
        lambda facts: services.customfield_update(
            actor=request.user, field=field, facts=facts, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, reverse("inventory:customfield_list"))
    return form_answer(request, form, "inventory/customfield_form.html", {"field": field})


@require_http_methods(["GET", "HEAD", "POST"])
def customfield_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _need_admin(request)
    field = get_object_or_404(CustomField, pk=pk)
    form = RemoveForm(posted(request), row=field)
    if form.is_valid() and form.does(
        lambda: services.customfield_delete(
            actor=request.user, field=field, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, reverse("inventory:customfield_list"))
    return removal_answer(request, customfield_removal(field), form, _crumbs(field))


@require_safe
def customfield_history(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _need_admin(request)
    field = get_object_or_404(CustomField, pk=pk)
    return history_answer(request, field, CUSTOMFIELD_WORDS, _crumbs(field), is_admin=True)


def _need_admin(request: HtmxHttpRequest) -> None:
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied


def _crumbs(field: CustomField) -> list[tuple[str, str]]:
    return [
        (_("Custom fields"), reverse("inventory:customfield_list")),
        (field.label, reverse("inventory:customfield_edit", args=[field.pk])),
    ]
