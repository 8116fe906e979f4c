"""How a person comes in: password, second factors, recovery codes."""

from __future__ import annotations

import base64
from typing import Any, Final

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.utils import decrypt, encrypt
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.devices import device_remember
from apps.accounts.doors import LockedOut, WrongCredentials, password_check
from apps.accounts.forms.security import AppForm, KeyAddForm, PasswordChangeForm
from apps.accounts.keys import answer_registers, question_to_add
from apps.accounts.selectors import has_app, second_factor_missing
from apps.accounts.services import factors, passwords
from apps.accounts.views.confirm import recent_proof_required
from apps.accounts.views.sign_in import pause_answer
from apps.audit.forms import errors_put
from apps.core.http import HtmxHttpRequest, redirect_after_post

Kind = Authenticator.Type
_SEED: Final = "accounts.seed"
"""In the session: the sealed seed of an app that is being added."""


@never_cache
@require_safe
def security(request: HtmxHttpRequest) -> HttpResponse:
    """Show how this person comes in, and what is missing."""
    rows = list(Authenticator.objects.filter(user_id=request.user.pk).order_by("created_at", "pk"))
    codes = next((row for row in rows if row.type == Kind.RECOVERY_CODES), None)
    keys = [row for row in rows if row.type == Kind.WEBAUTHN]
    context = {
        "app": next((row for row in rows if row.type == Kind.TOTP), None),
        "keys": keys,
        "has_room": len(keys) < factors.MOST_KEYS,
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "has_factor": len(rows) > (codes is not None),
        "is_missing": second_factor_missing(request.user),
    }
    return render(request, "accounts/security.html", context)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@recent_proof_required
def app_add(request: HtmxHttpRequest) -> HttpResponse:
    """Show a seed to an authenticator app, and take its first code."""
    if request.method != "POST" and has_app(request.user):
        return redirect_after_post(request, reverse("accounts:security"))
    sealed = request.session.get(_SEED) or encrypt(generate_totp_secret())
    request.session[_SEED] = sealed
    seed, form = decrypt(sealed), AppForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            codes = factors.app_add(user=request.user, seed=seed, **form.cleaned_data)
        except ValidationError as error:
            form.add_error("code", error)
        else:
            del request.session[_SEED]
            return _added(request, codes, _("The app is a second factor now."))
    adapter = get_adapter()
    drawing = adapter.build_totp_svg(adapter.build_totp_url(request.user, seed))
    context = {
        "form": form,
        "seed": " ".join(seed[at : at + 4] for at in range(0, len(seed), 4)),
        "drawing": base64.b64encode(drawing.encode()).decode(),
    }
    status = 422 if form.is_bound else 200
    return render(request, "accounts/app_form.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recent_proof_required
def app_remove(request: HtmxHttpRequest) -> HttpResponse:
    """Ask before the app is removed, and do it."""
    app = get_object_or_404(Authenticator, user=request.user, type=Kind.TOTP)
    return _removal(request, app, _("Authenticator app"), reverse("accounts:app_remove"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recent_proof_required
def key_add(request: HtmxHttpRequest) -> HttpResponse:
    """Register a security key under a name."""
    form = KeyAddForm(request.POST if request.method == "POST" else None)
    problem = ""
    if form.is_valid():
        credential = answer_registers(form.cleaned_data["credential"])
        try:
            if credential is not None:
                codes = factors.key_add(
                    user=request.user, name=form.cleaned_data["name"], credential=credential
                )
                return _added(request, codes, _("The key is a second factor now."))
            problem = _("The answer of the key was not understood, or came too late.")
        except ValidationError as error:
            errors_put(form, error)
    elif form.is_bound and "credential" in form.errors:
        problem = _("The key did not answer. It needs JavaScript and a touch of the key.")
    context = {"form": form, "problem": problem, "question": question_to_add(request.user)}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/key_form.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recent_proof_required
def key_remove(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Ask before a key is removed, and do it."""
    key = get_object_or_404(Authenticator, pk=pk, user=request.user, type=Kind.WEBAUTHN)
    return _removal(request, key, str(key), reverse("accounts:key_remove", args=[pk]))


def _removal(request: HtmxHttpRequest, factor: Authenticator, name: str, here: str) -> HttpResponse:
    if request.method == "POST":
        factors.factor_remove(user=request.user, factor=factor)
        messages.success(request, _("%(name)s removed.") % {"name": name})
        return redirect_after_post(request, reverse("accounts:security"))
    others = Authenticator.objects.filter(user=request.user).exclude(pk=factor.pk)
    is_last = not others.exclude(type=Kind.RECOVERY_CODES).exists()
    context = {"name": name, "here": here, "is_last": is_last}
    return render(request, "accounts/factor_remove.html", context)


@never_cache
@require_POST
@recent_proof_required
def recovery_codes_new(request: HtmxHttpRequest) -> HttpResponse:
    """Make new recovery codes and show them, this once."""
    kinds = [Kind.TOTP, Kind.WEBAUTHN]
    get_object_or_404(request.user.__class__, pk=request.user.pk, authenticator__type__in=kinds)
    return _codes_shown(request, factors.recovery_codes_new(user=request.user))


def _added(request: HtmxHttpRequest, codes: list[str], words: str) -> HttpResponse:
    messages.success(request, words)
    if codes:
        return _codes_shown(request, codes)
    return redirect_after_post(request, reverse("accounts:security"))


def _codes_shown(request: HtmxHttpRequest, codes: list[str]) -> HttpResponse:
    halves = [f"{code[:4]} {code[4:]}" for code in codes]
    return render(request, "accounts/recovery_codes.html", {"codes": halves})


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password_change(request: HtmxHttpRequest) -> HttpResponse:
    """Change the password; every other session of this person ends."""
    user = request.user
    form = PasswordChangeForm(user, request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form}
    if user.has_usable_password() and form.is_valid():
        given = form.cleaned_data
        try:
            name = user.get_username()
            password_check(request=request, username=name, password=given["password"])
        except LockedOut as error:
            return pause_answer(request, "accounts/password_form.html", context, error)
        except WrongCredentials:
            form.add_error("password", _("The password is not right."))
        else:
            passwords.password_change(
                user=user,
                password=given["new_password1"],
                keep_session=request.session.session_key,
            )
            return _changed(request)
    return render(
        request, "accounts/password_form.html", context, status=422 if form.is_bound else 200
    )


def _changed(request: HtmxHttpRequest) -> HttpResponse:
    update_session_auth_hash(request, request.user)
    messages.success(request, _("The password is changed. Your other sessions have ended."))
    response = redirect_after_post(request, reverse("accounts:security"))
    device_remember(response, request.user.pk, request.user.password)
    return response
