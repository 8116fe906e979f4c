from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Concat, Lower, Now, NullIf, Trim
from django.utils import timezone

from apps.accounts.choices import Registration
from apps.accounts.models import AccessPolicy, ApiToken, Invitation, ScriptSession, User
from apps.clusters.choices import ROLE_ORDER, Role
from apps.clusters.models import RoleGrant
from apps.clusters.selectors import has_somewhere, reach_of

SECOND_FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""What counts as one; recovery codes only stand in for it."""


def access_policy() -> AccessPolicy:
    """Return the policy; the row is written when somebody changes it."""
    return AccessPolicy.objects.filter(pk=1).first() or AccessPolicy(pk=1)


def second_factor_needed(user: User) -> bool:
    """Say whether the policy asks this person's roles for a second factor."""
    least = access_policy().second_factor_from
    return bool(least) and has_somewhere(user, Role(least))


def has_second_factor(user: User) -> bool:
    """Say whether the person has an authenticator app or a security key."""
    found = Authenticator.objects.filter(user_id=user.pk, type__in=SECOND_FACTORS)
    return bool(found.exists())


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
    own = Authenticator.objects.filter(user_id=OuterRef(OuterRef("pk")), type__in=SECOND_FACTORS)
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


def may_come_in(user: User) -> bool:
    """Say whether who is signed in may go on, as things are now."""
    return user.is_active and not password_change_needed(user) and not second_factor_missing(user)


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


def zone_named(name: str) -> zoneinfo.ZoneInfo | None:
    """Return a time zone; None, that of the portal, for no name or one this machine lacks."""
    if not name:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


# ------------------------------------------------------------------------------- people, for admins
SORTS: Final = ("name", "-name", "last_login", "-last_login")


def people_found(
    *, text: str = "", role: str = "", cluster: int | None = None, state: str = "", sort: str = ""
) -> QuerySet[User]:
    """Return people with `has_factor` and their grants, in few queries however many there are.

    `role` is held somewhere ("none": nowhere); with a cluster, in that one or everywhere.
    """
    people = people_with_factors()
    if text:
        people = people.filter(
            Q(shown_name__icontains=text) | Q(username__icontains=text) | Q(email__icontains=text)
        )
    held = RoleGrant.objects.filter(user=OuterRef("pk"))
    if cluster is not None:
        held = held.filter(Q(cluster=cluster) | Q(cluster__isnull=True))
    if role == "none":
        people = people.filter(~Exists(held))
    elif role or cluster is not None:
        people = people.filter(Exists(held.filter(role=role) if role else held))
    key = sort if sort in SORTS else "name"
    return (
        _in_state(people, state)
        .prefetch_related(Prefetch("grants", RoleGrant.objects.select_related("cluster")))
        .order_by(*_order(key))
    )


def _in_state(people: QuerySet[Any], state: str) -> QuerySet[Any]:
    if state == "active":
        return people.filter(is_active=True)
    if state == "disabled":
        return people.filter(is_active=False)
    if state == "must_change":
        return people.filter(is_active=True, must_change_password=True)
    if state == "no_factor":
        return people.filter(is_active=True, has_factor=False)
    if state == "factor_needed":
        return people.filter(factor_missing())
    return people


def _order(sort: str) -> list[Any]:
    by_name = Lower("shown_name")
    if sort == "-name":
        return [by_name.desc(), "-pk"]
    if sort == "last_login":
        return [F("last_login").asc(nulls_first=True), by_name, "pk"]
    if sort == "-last_login":
        return [F("last_login").desc(nulls_last=True), by_name, "pk"]
    return [by_name, "pk"]


def people_with_factors() -> QuerySet[Any]:
    """Return everybody, with `has_factor` and `shown_name`, the name they are shown by."""
    full = NullIf(Trim(Concat("first_name", Value(" "), "last_name")), Value(""))
    factors = Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_FACTORS)
    return User.objects.annotate(
        shown_name=Coalesce(full, F("username")), has_factor=Exists(factors)
    )


def factor_missing(policy: AccessPolicy | None = None) -> Q:
    """Return the condition of people who may sign in and have no factor though policy asks."""
    least = (policy or access_policy()).second_factor_from
    if not least:
        return Q(pk__in=[])
    holders = RoleGrant.objects.filter(role__in=Role(least).and_above()).values("user")
    return Q(is_active=True, has_factor=False, pk__in=holders)


@dataclass(frozen=True, slots=True)
class PeopleCounts:
    """The numbers of the sentence above the list."""

    total: int
    disabled: int
    admins: int
    factor_needed: int


def people_counts() -> PeopleCounts:
    """Count everybody; three queries."""
    admins = RoleGrant.objects.filter(role=Role.ADMIN).values("user")
    numbers = people_with_factors().aggregate(
        total=Count("pk"),
        disabled=Count("pk", filter=Q(is_active=False)),
        admins=Count("pk", filter=Q(is_active=True, pk__in=admins)),
        factor_needed=Count("pk", filter=factor_missing()),
    )
    return PeopleCounts(**numbers)


def factor_counts() -> dict[str, tuple[int, int]]:
    """Return for each role how many people who may sign in it would ask for a second factor, and
    how many of them have none."""
    found = {}
    for role in Role:
        holders = RoleGrant.objects.filter(role__in=role.and_above()).values("user")
        people = people_with_factors().filter(is_active=True, pk__in=holders)
        found[role.value] = (people.count(), people.filter(has_factor=False).count())
    return found


def sessions_count(user: User) -> int:
    """Count the sessions of a person that are open now."""
    return int(browser_sessions_of(user).count() + script_sessions_of(user).count())


def tokens_count(user: User) -> int:
    """Count the API tokens of a person that have not expired."""
    return tokens_of(user).filter(Q(expiry__isnull=True) | Q(expiry__gt=Now())).count()


def factors_of(user: User) -> dict[str, int]:
    """Return how many of each kind of second factor a person has; recovery codes count too."""
    rows = Authenticator.objects.filter(user=user).values_list("type")
    return dict(rows.annotate(number=Count("pk")).order_by("type"))


# ------------------------------------------------------------------------------- invitations
def invitations_open() -> QuerySet[Invitation]:
    """Return the invitations that work now: not used, taken back or expired, by somebody who is
    still an admin, while registration by invitation is on."""
    if access_policy().registration != Registration.INVITATION:
        return Invitation.objects.none()
    admins = RoleGrant.objects.filter(role=Role.ADMIN, user__is_active=True).values("user")
    return Invitation.objects.filter(
        used_at__isnull=True, revoked_at__isnull=True, expires_at__gt=Now(), invited_by__in=admins
    ).select_related("invited_by")


def invitations_listed() -> QuerySet[Invitation]:
    """Return all of them, newest first, with `is_open`, `is_expired` and whom they name."""
    rows = Invitation.objects.annotate(
        is_open=Case(When(pk__in=invitations_open().values("pk"), then=True), default=False),
        is_expired=Case(When(expires_at__lte=Now(), then=True), default=False),
    )
    return rows.select_related("invited_by", "used_by").prefetch_related("clusters")
