"""The way in: name and password, then the second factor of those who have one."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from apps.accounts.doors import (
    CodeWrong,
    LockedOut,
    WrongCredentials,
    code_check,
    key_check,
    password_check,
)
from apps.accounts.forms.sign_in import SAME_SENTENCE, CodeForm, KeyForm, SignInForm
from apps.accounts.keys import question_to_prove
from apps.accounts.models import User
from apps.accounts.selectors import has_second_factor, has_security_key
from apps.audit.services import entry_record
from apps.core.http import is_fragment, path_inside


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with name and password."""
    if is_fragment(request) and request.method != "POST":
        # The session ended meanwhile: the whole page goes there, not a part of it.
        htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by the middleware
        back = {"next": htmx.current_url_abs_path or "/"}
        return HttpResponseClientRedirect(f"{reverse('accounts:sign_in')}?{urlencode(back)}")
    way_on = path_inside(request, request.POST.get("next") or request.GET.get("next", ""))
    if request.user.is_authenticated:
        return HttpResponseRedirect(way_on or reverse(settings.LOGIN_REDIRECT_URL))
    form = SignInForm(request.POST if request.method == "POST" else None)
    context = {"form": form, "next": way_on, "oidc_name": settings.OIDC_NAME}
    if form.is_valid():
        try:
            user = password_check(request=request, **form.cleaned_data)
        except LockedOut as error:
            return pause_answer(request, "accounts/sign_in.html", context, error)
        except WrongCredentials:
            form.add_error(None, SAME_SENTENCE)
        else:
            record_authentication(request, user, method="password")
            return _go_on(request, user, way_on)
    return render(request, "accounts/sign_in.html", context, status=422 if form.is_bound else 200)


def _go_on(request: HttpRequest, user: User, way_on: str) -> HttpResponse:
    to = way_on or reverse(settings.LOGIN_REDIRECT_URL)
    login = Login(user=user, redirect_url=to, state={"password": user.get_session_auth_hash()})
    response: HttpResponse = perform_login(request, login)
    return response


@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login")  # type: ignore[untyped-decorator]
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """Ask who gave the right password for a code or a security key."""
    stage: AuthenticateStage = request._login_stage  # type: ignore[attr-defined]  # set by allauth
    user: User = stage.login.user
    changed = stage.login.state.get("password", "") not in ("", user.get_session_auth_hash())
    if changed or not user.is_active or not has_second_factor(user):
        aborted: HttpResponse = stage.abort()
        return aborted
    context: dict[str, Any] = {"who": user}
    status = 200
    if request.method == "POST":
        try:
            proof = proof_read(request, user)
        except LockedOut as error:
            return pause_answer(request, "accounts/second_factor.html", context, error)
        if proof is not None:
            proof_record(request, user, proof)
            done: HttpResponse = stage.exit()
            return done
        status, context["problem"] = 422, proof_problem(request)
    context |= {"form": CodeForm(), "question": key_question(user)}
    return render(request, "accounts/second_factor.html", context, status=status)


def proof_read(request: HttpRequest, user: User) -> Authenticator | None:
    """Return the factor with which this request proves its person, or None.

    :raises LockedOut: after too many.
    """
    form: forms.Form = (
        KeyForm(request.POST) if "credential" in request.POST else CodeForm(request.POST)
    )
    if not form.is_valid():
        return None
    try:
        if isinstance(form, KeyForm):
            return key_check(request=request, user=user, answer=form.cleaned_data["credential"])
        return code_check(request=request, user=user, code=form.cleaned_data["code"])
    except CodeWrong:
        return None


def proof_problem(request: HttpRequest) -> str:
    if "credential" in request.POST:
        return _("The portal does not know this security key, or it answered too late.")
    return _("The code is not right, or it was used before. Each code counts once.")


def proof_record(request: HttpRequest, user: User, proof: Authenticator) -> None:
    """Keep in the session that this person proved to be who they are, now."""
    record_authentication(request, user, method="mfa", id=proof.pk, type=proof.type)


def key_question(user: User) -> str:
    """Return what to ask security keys, or nothing for people without one."""
    return question_to_prove(user) if has_security_key(user) else ""


def pause_answer(
    request: HttpRequest, template: str, context: dict[str, Any], error: LockedOut
) -> HttpResponse:
    """Answer tries during the pause, whether they would be right or not."""
    shown = context | {"pause_minutes": math.ceil(error.seconds / 60)}
    response = render(request, template, shown, status=429)
    response["Retry-After"] = str(error.seconds)
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session."""
    if isinstance(request.user, User):
        with transaction.atomic():
            entry_record(actor=request.user, action="accounts.sign_out", obj=request.user)
            logout(request)
    return HttpResponseRedirect(reverse("accounts:sign_in"))


@login_not_required
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead from Django admin to the one way in; who is in and may not see it is told so."""
    if request.user.is_authenticated:
        raise PermissionDenied
    back = {"next": path_inside(request, request.GET.get("next", "")) or reverse("admin:index")}
    return HttpResponseRedirect(f"{reverse('accounts:sign_in')}?{urlencode(back)}")
