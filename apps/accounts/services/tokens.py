"""Keys with which scripts come in."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from apps.accounts.models import ApiToken, User
from apps.accounts.selectors import strongest_role
from apps.audit.services import entry_record
from apps.clusters.choices import ROLE_ORDER, Role
from apps.clusters.selectors import has_everywhere

LONGEST_DAYS: Final = 366
MOST_LIVE: Final = 20
"""Tokens a person may have at a time."""
FORGOTTEN_DAYS: Final = 30
"""So long an expired token is still listed."""
USED_SECONDS: Final = 60
"""When a token was last used is kept this exactly."""


def api_token_create(
    *,
    user: User,
    days: int,
    name: str = "",
    role: Role = Role.ADMIN,
    actor: User | None = None,
) -> str:
    """Return the secret of a new token; see `api_token_issue`. It does what its person may."""
    return api_token_issue(user=user, days=days, name=name, role=role, actor=actor)[1]


def api_token_issue(
    *,
    user: User,
    days: int,
    name: str,
    role: Role,
    actor: User | None,
    by: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """Return a new token for the REST API and its secret, of which only the hash is kept.

    It acts as this person, and never does more than `role`. `by` is the token that asks for it,
    which gives no more than it has: neither role nor time.

    :raises ValueError: more days than a year has, or none.
    :raises ValidationError: it would do or live more than it may, or there are too many.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError("a token lives 1 to 366 days")
    expiry = timezone.now() + dt.timedelta(days=days)
    if actor is not None and role not in roles_to_give(actor):
        raise ValidationError({"role": _("You cannot give more than you may do yourself.")})
    if by is not None and expiry > by.expiry:
        raise ValidationError({"days": _("It would outlive the token that asks for it.")})
    digest, secret = get_digest_token()
    with transaction.atomic():
        _room_make(user)
        token = ApiToken.objects.create(
            user=user,
            digest=digest,
            token_key=secret[: CONSTANTS.TOKEN_KEY_LENGTH],
            name=name,
            role_ceiling=role,
            expiry=expiry,
        )
        told = {"name": name, "role": role, "expires": expiry.isoformat()}
        entry_record(actor=actor, action="accounts.api_token.create", obj=user, after=told)
    return token, str(secret)


def roles_to_give(actor: User) -> list[Role]:
    """Return the ceilings that a person may give to a token, weakest first."""
    return ROLE_ORDER[: ROLE_ORDER.index(strongest_role(actor)) + 1]


def api_token_revoke(*, actor: User, token: ApiToken) -> None:
    """End one token.

    :raises PermissionDenied: it is somebody else's, or may do more than the token that asks.
    """
    is_own = token.user_id == actor.pk
    if not (is_own or has_everywhere(actor, Role.ADMIN)):
        raise PermissionDenied("only admins end the tokens of others")
    most = actor.role_ceiling
    if most is not None and most not in Role(token.role_ceiling).and_above():
        raise PermissionDenied("a token ends no token that may do more")
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk).delete()[0]:
            _revoked_tell(actor, token.user, [token.name])


def tokens_revoke(*, actor: User, user: User) -> int:
    """End every token of a person; return how many there were.

    :raises PermissionDenied: anybody but this person and admins, and no token does it.
    """
    if actor.role_ceiling is not None or not (
        actor.pk == user.pk or has_everywhere(actor, Role.ADMIN)
    ):
        raise PermissionDenied("only admins end the tokens of others")
    with transaction.atomic():
        rows = ApiToken.objects.filter(user=user)
        names = list(rows.order_by("pk").values_list("name", flat=True))
        rows.delete()
        if names:
            _revoked_tell(actor, user, names)
    return len(names)


def api_token_used(*, token: ApiToken, address: str | None) -> None:
    """Note the use of a token; writes at most once a minute."""
    now = timezone.now()
    before = now - dt.timedelta(seconds=USED_SECONDS)
    if token.last_used_at is not None and token.last_used_at > before:
        return
    unused = Q(last_used_at__isnull=True) | Q(last_used_at__lte=before)
    rows = ApiToken.objects.filter(unused, pk=token.pk)
    rows.update(last_used_at=now, last_used_from=address)


def _room_make(user: User) -> None:
    """:raises ValidationError: the person has as many tokens as one may have."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    now = timezone.now()
    own = ApiToken.objects.filter(user=user)
    own.filter(expiry__lt=now - dt.timedelta(days=FORGOTTEN_DAYS)).delete()
    if own.filter(expiry__gt=now).count() >= MOST_LIVE:
        words = _("There are %(n)d tokens that work, which is the most. Revoke one first.")
        raise ValidationError(words % {"n": MOST_LIVE})


def _revoked_tell(actor: User, user: User, names: list[str]) -> None:
    told = {"names": names}
    entry_record(actor=actor, action="accounts.api_token.revoke", obj=user, before=told)
