"""People, for admins: who they are and what they may do."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts import selectors
from apps.accounts.forms.people import GrantsForm, NewPersonForm, PeopleFilterForm, PersonForm
from apps.accounts.models import User
from apps.accounts.services import password_links, people
from apps.accounts.tables import person_row
from apps.accounts.views.links import link_answer
from apps.accounts.words import PERSON_WORDS
from apps.audit.pages import Crumb, form_answer, gone_answer, history_answer, posted
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post

PAGE: Final = 100


@require_safe
def user_list(request: HtmxHttpRequest) -> HttpResponse:
    admin_page(request)
    form = PeopleFilterForm(request.GET)
    # What cannot be read matches nothing: it must not look as if everybody matched.
    found = selectors.people_found(**form.asked()) if form.is_valid() else User.objects.none()
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    least = selectors.access_policy().second_factor_from
    context = {
        "form": form,
        "counts": selectors.people_counts(),
        "page_obj": page,
        "rows": [person_row(user, least) for user in page.object_list],
        "sort": form.data.get("sort") or "name",
    }
    name = "_user_list.html" if is_fragment(request) else "user_list.html"
    return render(request, f"accounts/{name}", context)


@require_safe
def user_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    admin_page(request)
    person = get_object_or_404(selectors.people_found(), pk=pk)
    context = {
        "person": person,
        "row": person_row(person, selectors.access_policy().second_factor_from),
        "grants": person.grants.order_by("cluster__name"),
        "factors": selectors.factors_of(person),
        "sessions": selectors.sessions_count(person),
        "tokens": selectors.tokens_count(person),
        "is_self": person.pk == request.user.pk,
    }
    return render(request, "accounts/user_detail.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def user_add(request: HtmxHttpRequest) -> HttpResponse:
    admin_page(request)
    form = NewPersonForm(posted(request))
    if form.is_valid():
        person = form.attempt(
            lambda: people.person_create(actor=request.user, facts=form.facts, grants=form.grants)
        )
        if person is not None:
            key = password_links.password_link_create(actor=request.user, user=person)
            return link_answer(request, person, key)
    return form_answer(request, form, "accounts/user_add.html", {})


@require_http_methods(["GET", "HEAD", "POST"])
def user_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    admin_page(request)
    person = User.objects.filter(pk=pk).first()
    form = PersonForm(posted(request), person=person)
    if person is None:
        return gone_answer(request, form)
    if form.is_valid() and form.store(
        lambda facts: people.person_update(
            actor=request.user, user=person, facts=facts, expected_version=form.expected_version
        )
    ):
        return redirect_after_post(request, person.get_absolute_url())
    context = {"person": person, "crumbs": crumbs_of(person)}
    return form_answer(request, form, "accounts/user_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def user_grants(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    admin_page(request)
    person = get_object_or_404(User, pk=pk)
    form = GrantsForm(posted(request), person=person)
    if form.is_valid() and form.store(
        lambda grants: people.grants_set(
            actor=request.user,
            user=person,
            grants=grants,
            reason=form.cleaned_data["reason"],
            expected_version=form.expected_version,
        )
    ):
        return redirect_after_post(request, person.get_absolute_url())
    context = {"person": person, "crumbs": crumbs_of(person)}
    return form_answer(request, form, "accounts/grants_form.html", context)


@require_safe
def user_history(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    admin_page(request)
    person = get_object_or_404(User, pk=pk)
    return history_answer(request, person, PERSON_WORDS, crumbs_of(person), is_admin=True)


def admin_page(request: HtmxHttpRequest) -> None:
    """:raises PermissionDenied: anybody but an admin."""
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied


def crumbs_of(person: User) -> list[Crumb]:
    """Return the way from the list to the page of this person."""
    return [(_("People"), reverse("accounts:user_list")), (str(person), person.get_absolute_url())]
