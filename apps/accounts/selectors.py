from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, QuerySet, Subquery

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


def has_app(user: User) -> bool:
    apps = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP)
    return bool(apps.exists())


def has_security_key(user: User) -> bool:
    keys = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.WEBAUTHN)
    return bool(keys.exists())


def people_standing() -> QuerySet[User]:
    """Return people with the role from which the policy asks them for a factor they lack.

    It comes with the person of each request, so that the question costs no query of its own.
    """
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    own = Authenticator.objects.filter(user_id=OuterRef(OuterRef("pk")), type__in=kinds)
    asked = AccessPolicy.objects.filter(pk=1).exclude(second_factor_from="").exclude(Exists(own))
    return User.objects.annotate(factor_asked_from=Subquery(asked.values("second_factor_from")))


def second_factor_missing(user: User) -> bool:
    """Say whether the policy asks this person for a second factor and there is none."""
    if not hasattr(user, "factor_asked_from"):
        return second_factor_needed(user) and not has_second_factor(user)
    return bool(user.factor_asked_from) and has_somewhere(user, Role(user.factor_asked_from))


def password_change_needed(user: User) -> bool:
    """Say whether somebody else set the password; who has none here is never asked."""
    return user.must_change_password and user.has_usable_password()
