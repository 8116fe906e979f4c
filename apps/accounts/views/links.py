"""Links that let people in: shown to the admin once, opened by whoever has them."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts.forms.invitations import AcceptForm, NewPasswordForm
from apps.accounts.models import Invitation, User
from apps.accounts.services import invitations, password_links
from apps.accounts.words import roles_words
from apps.audit.pages import posted
from apps.core.http import HtmxHttpRequest, redirect_after_post


def link_answer(request: HtmxHttpRequest, obj: User | Invitation, key: str) -> HttpResponse:
    """Show a new link, once: it is neither stored nor told to anybody else."""
    is_person = isinstance(obj, User)
    name = "accounts:password_link" if is_person else "accounts:invitation_accept"
    url = request.build_absolute_uri(reverse(name, args=[key]))
    return render(
        request, "accounts/link_made.html", {"obj": obj, "is_person": is_person, "url": url}
    )


@sensitive_post_parameters()
@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def password_link(request: HtmxHttpRequest, key: str) -> HttpResponse:
    """Let a person set their password with a link."""
    person = password_links.password_link_person(key)
    if person is None:
        return _gone(request)
    form = NewPasswordForm(posted(request), person=person)
    if form.is_valid() and form.does(
        lambda: password_links.password_link_use(key=key, password=form.cleaned_data["password"])
    ):
        return redirect_after_post(request, reverse("accounts:sign_in"))
    if form.is_gone:
        return _gone(request)
    context = {"form": form, "person": person}
    return render(request, "accounts/password_link.html", context, status=form.status)


@sensitive_post_parameters()
@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_accept(request: HtmxHttpRequest, key: str) -> HttpResponse:
    """Let a person make the account they were invited to."""
    invitation = invitations.invitation_of(key)
    if invitation is None:
        return _gone(request)
    form = AcceptForm(posted(request), invitation=invitation)
    if form.is_valid() and form.does(
        lambda: invitations.invitation_accept(
            key=key, facts=form.facts, password=form.cleaned_data["password"]
        )
    ):
        return redirect_after_post(request, reverse("accounts:sign_in"))
    if form.is_gone:
        return _gone(request)
    context = {"form": form, "invitation": invitation, "roles": _roles(invitation)}
    return render(request, "accounts/invitation_accept.html", context, status=form.status)


def _roles(invitation: Invitation) -> list[str]:
    if invitation.is_everywhere:
        return roles_words([(invitation.role, None)])
    names = invitation.clusters.values_list("name", flat=True)
    return roles_words((invitation.role, name) for name in names)


def _gone(request: HtmxHttpRequest) -> HttpResponse:
    """One answer for used, expired, taken back and never made."""
    return render(request, "accounts/link_gone.html", status=404)
