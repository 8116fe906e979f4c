from __future__ import annotations

from allauth.mfa.models import Authenticator

from apps.accounts.models import AccessPolicy, User
from apps.clusters.choices import Role
from apps.clusters.selectors import has_somewhere


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
