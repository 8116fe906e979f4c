from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, QuerySet
from django.utils import timezone

from apps.accounts.models import AccessPolicy, ApiToken, ScriptSession, User
from apps.clusters.choices import ROLE_ORDER, Role
from apps.clusters.selectors import has_somewhere, reach_of


def access_policy() -> AccessPolicy:
    """Return the policy; the row is written when somebody changes it."""
    return AccessPolicy.objects.filter(pk=1).first() or AccessPolicy(pk=1)


def second_factor_needed(user: User) -> bool:
    """Say whether the policy asks this person's roles for a second factor."""
    least = access_policy().second_factor_from
    return bool(least) and has_somewhere(user, Role(least))


def has_second_factor(user: User) -> bool:
    """Say whether the person has an authenticator app or a security key."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=kinds).exists())


def has_security_key(user: User) -> bool:
    keys = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.WEBAUTHN)
    return bool(keys.exists())


def second_factor_missing(user: User) -> bool:
    """Say whether the policy asks this person for a second factor and there is none.

    One query for everybody who has what is asked of them.
    """
    own = Authenticator.objects.filter(
        user_id=user.pk, type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    )
    row = AccessPolicy.objects.filter(pk=1).exclude(second_factor_from="")
    least = row.exclude(Exists(own)).values_list("second_factor_from", flat=True).first()
    return least is not None and has_somewhere(user, Role(least))


def may_come_in(user: User) -> bool:
    """Say whether who is signed in may go on, as things are now."""
    return user.is_active and not user.must_change_password and not second_factor_missing(user)


def strongest_role(user: User) -> Role:
    """Return the strongest role a person holds anywhere, not above the ceiling of a token."""
    reach = reach_of(user)
    held = [role for role in ROLE_ORDER if reach.holds(role)]
    return held[-1] if held else Role.READONLY


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the API tokens of a person, those that expired lately too; the newest first."""
    return ApiToken.objects.filter(user=user)


def browser_sessions_of(user: User) -> QuerySet[Any]:
    """Return the `UserSession` rows of a person that are not over, last seen first."""
    live = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    rows: QuerySet[Any] = UserSession.objects.filter(user=user, session_key__in=live)
    return rows.order_by("-last_seen_at", "-pk")


def script_sessions_of(user: User) -> QuerySet[ScriptSession]:
    """Return the sessions of a person's scripts that are not over, last seen first."""
    rows = ScriptSession.objects.filter(user=user, expires_at__gt=timezone.now())
    return rows.order_by("-last_seen_at", "-pk")
