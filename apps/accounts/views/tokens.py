"""A person's own API tokens."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.forms.tokens import TokenForm
from apps.accounts.selectors import tokens_of
from apps.accounts.services.tokens import (
    LONGEST_DAYS,
    MOST_LIVE,
    api_token_issue,
    api_token_revoke,
    roles_to_give,
)
from apps.audit.pages import posted
from apps.clusters.choices import Role
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post


@require_safe
def token_list(request: HtmxHttpRequest) -> HttpResponse:
    tokens = list(tokens_of(request.user))
    is_full = sum(token.is_live for token in tokens) >= MOST_LIVE
    context = {"tokens": tokens, "is_full": is_full, "most": MOST_LIVE}
    return render(request, "accounts/token_list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_add(request: HtmxHttpRequest) -> HttpResponse:
    """Make a token. Its secret is in this answer and nowhere else, so there is no redirect."""
    user = request.user
    form = TokenForm(posted(request), roles=roles_to_give(user))
    if form.is_valid():
        wanted = form.cleaned_data
        made = form.attempt(
            lambda: api_token_issue(
                user=user,
                days=wanted["days"],
                name=wanted["name"],
                role=Role(wanted["role"]),
                actor=user,
            )
        )
        if made is not None:
            context = {"token": made[0], "secret": made[1]}
            return render(request, "accounts/token_made.html", context)
    context = {"form": form, "longest": LONGEST_DAYS}
    return render(request, "accounts/token_form.html", context, status=form.status)


@require_http_methods(["GET", "HEAD", "POST"])
def token_revoke(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(tokens_of(request.user).select_related("user"), pk=pk)
    if request.method == "POST":
        api_token_revoke(actor=request.user, token=token)
        return redirect_after_post(request, reverse("accounts:token_list"))
    name = "_token_revoke.html" if is_fragment(request) else "token_revoke.html"
    crumbs = [(_("API tokens"), reverse("accounts:token_list"))]
    return render(request, f"accounts/{name}", {"token": token, "crumbs": crumbs})
