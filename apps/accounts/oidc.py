"""People who prove who they are with another service (OpenID Connect).

It opens accounts that are here already: those linked before, or the one account with the email
address that the service verified. It makes no accounts.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.forms.sign_in import SignInForm
from apps.accounts.models import User
from apps.audit.services import entry_record

PROVIDER: Final = "oidc"
log = structlog.get_logger(__name__)


class OidcAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Decides itself who comes in, so that nothing else of allauth's flow runs."""

    def is_open_for_signup(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """:raises ImmediateHttpResponse: always: the way in, or why there is none."""
        user = _person_of(sociallogin)
        if user is None:
            raise ImmediateHttpResponse(nobody(request))
        record_authentication(request, user, method=PROVIDER)
        to = sociallogin.state.get("next") or reverse(settings.LOGIN_REDIRECT_URL)
        login = Login(user=user, redirect_url=to, state={"password": user.get_session_auth_hash()})
        raise ImmediateHttpResponse(perform_login(request, login))

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, *args: Any, **kwargs: Any
    ) -> None:
        """:raises ImmediateHttpResponse: always."""
        log.warning("oidc_failed", error=type(kwargs.get("exception")).__name__)
        raise ImmediateHttpResponse(failed(request))


def nobody(request: HttpRequest) -> HttpResponse:
    words = _("No account here is of this person. An admin adds one with the same email address.")
    return refused(request, words)


def failed(request: HttpRequest) -> HttpResponse:
    return refused(request, _("The other service did not confirm who you are. Nobody came in."))


def refused(request: HttpRequest, sentence: str) -> HttpResponse:
    """Show the sign-in page with the reason."""
    context = {"form": SignInForm(), "problem": sentence, "oidc_name": settings.OIDC_NAME}
    return render(request, "accounts/sign_in.html", context, status=403)


def _person_of(sociallogin: Any) -> User | None:
    told = sociallogin.account.extra_data
    facts, signed = told.get("userinfo") or {}, told.get("id_token") or {}
    # Facts about somebody else than the token is about are none (OpenID Connect Core 5.3.2).
    if not signed.get("sub") or signed["sub"] != facts.get("sub"):
        return None
    if sociallogin.is_existing:
        SocialAccount.objects.filter(pk=sociallogin.account.pk).update(extra_data={})
        user: User = sociallogin.user
        return user if user.is_active else None
    email = facts.get("email")
    if facts.get("email_verified") is not True or not isinstance(email, str) or not email:
        return None
    found = list(User.objects.filter(email__iexact=email, is_active=True)[:2])
    return _linked(sociallogin.account, found[0]) if len(found) == 1 else None


def _linked(account: SocialAccount, user: User) -> User | None:
    account.user, account.extra_data = user, {}
    try:
        with transaction.atomic():
            # One account of the service for one person: another one with this address is refused.
            User.objects.select_for_update().get(pk=user.pk)
            if SocialAccount.objects.filter(user=user, provider=account.provider).exists():
                return None
            account.save()
            after = {"service": settings.OIDC_NAME, "subject": account.uid}
            entry_record(actor=user, action="accounts.oidc.link", obj=user, after=after)
    except IntegrityError:
        return None
    return user
