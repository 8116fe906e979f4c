from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db.models import Exists

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
