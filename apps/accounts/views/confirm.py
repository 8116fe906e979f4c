"""Prove once more that you are you, before something changes about how you come in."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec
from urllib.parse import urlencode

from allauth.account.internal.flows.login import (
    get_authentication_records,
    record_authentication,
)
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts.doors import LockedOut, WrongCredentials, password_check
from apps.accounts.forms.sign_in import CodeForm, PasswordForm
from apps.accounts.selectors import has_second_factor
from apps.accounts.views.sign_in import (
    key_question,
    pause_answer,
    proof_problem,
    proof_read,
    proof_record,
)
from apps.core.http import HtmxHttpRequest, path_inside, redirect_after_post

RECENT_SECONDS: Final = 300
P = ParamSpec("P")
View = Callable[Concatenate[HtmxHttpRequest, P], HttpResponse]


def recent_proof_required(view: View[P]) -> View[P]:
    """Let only those on who proved in these 5 min who they are; the others do it first."""

    @wraps(view)
    def guarded(request: HtmxHttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if _proved_recently(request):
            return view(request, *args, **kwargs)
        back = request.path if request.method == "GET" else reverse("accounts:security")
        to = f"{reverse('accounts:confirm')}?{urlencode({'next': back})}"
        return redirect_after_post(request, to)

    return guarded


def _proved_recently(request: HtmxHttpRequest) -> bool:
    records = get_authentication_records(request, request.user)
    newest = max((record["at"] for record in records), default=0)
    return bool(time.time() - newest < RECENT_SECONDS)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HtmxHttpRequest) -> HttpResponse:
    """Ask for the password, a code or a security key, whichever is at hand."""
    user = request.user
    way_on = path_inside(request, request.POST.get("next") or request.GET.get("next", ""))
    context: dict[str, Any] = {"next": way_on}
    status = 200
    if request.method == "POST":
        try:
            problem = _proof_problem(request)
        except LockedOut as error:
            return pause_answer(request, "accounts/confirm.html", context, error)
        if not problem:
            return redirect_after_post(request, way_on or reverse("accounts:security"))
        status, context["problem"] = 422, problem
    context |= {
        "password_form": PasswordForm() if user.has_usable_password() else None,
        "code_form": CodeForm() if has_second_factor(user) else None,
        "question": key_question(user),
    }
    return render(request, "accounts/confirm.html", context, status=status)


def _proof_problem(request: HtmxHttpRequest) -> str:
    """Return why this is no proof; nothing: it is one, and the session knows it."""
    if "password" not in request.POST:
        proof = proof_read(request, request.user)
        if proof is None:
            return proof_problem(request)
        proof_record(request, request.user, proof)
        return ""
    form = PasswordForm(request.POST)
    try:
        if form.is_valid():
            name = request.user.get_username()
            password_check(request=request, username=name, **form.cleaned_data)
            record_authentication(request, request.user, method="password")
            return ""
    except WrongCredentials:
        pass
    return _("The password is not right.")
