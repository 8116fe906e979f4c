"""Short-lived access for scripts: JSON web tokens that live from a row, `ScriptSession`.

A sign-in makes a row and two tokens: an access token that works for five minutes, and a refresh
token that is exchanged once for the next two. A refresh token that comes a second time was stolen,
or its owner lost count: either way the row goes, and everything that lives from it. Every access
token is checked against its row and its person at every request, so nothing has to wait until it
expires.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts.models import ScriptSession, User
from apps.accounts.services.access import access_changed
from apps.audit.services import entry_record

ACCESS_SECONDS: Final = 300
REFRESH_SECONDS: Final = 24 * 3600
SESSION_SECONDS: Final = 7 * 24 * 3600
"""After this the script signs in anew, however often it refreshed."""
SEEN_SECONDS: Final = 60
MOST_LIVE: Final = 100
"""Sessions of scripts that a person may have at a time; the oldest ends for the next."""
LONGEST: Final = 2000
"""Characters of a token; ours have about 350."""

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "bmc-portal"
_CLAIMS: Final = ["iss", "sub", "sid", "jti", "iat", "exp", "use"]

Use = Literal["access", "refresh"]


class TokenRefused(Exception):
    """It is no token of ours, it is over, or its session or person is."""


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """What a script gets. Never written to a log: it has no telling repr."""

    access: str
    refresh: str
    expires_in: int
    refresh_expires_in: int
    token_type: str = "Bearer"  # noqa: S105  a word of RFC 6750


def script_session_start(*, user: User, address: str | None) -> Pair:
    """Return the first two tokens of a script that has shown who it is."""
    now = timezone.now()
    with transaction.atomic():
        own = ScriptSession.objects.filter(user=user)
        own.filter(expires_at__lte=now).delete()
        kept = own.order_by("-pk").values_list("pk", flat=True)[: MOST_LIVE - 1]
        own.exclude(pk__in=list(kept)).delete()
        session = ScriptSession.objects.create(
            user=user,
            auth_hash=user.get_session_auth_hash(),
            address=address,
            expires_at=now + dt.timedelta(seconds=SESSION_SECONDS),
        )
        entry_record(actor=user, action="accounts.script_session.create", obj=user)
    return _pair(session)


def script_session_refresh(*, token: str, address: str | None) -> Pair:
    """Exchange a refresh token, once.

    :raises TokenRefused: among other reasons, it was exchanged before. Then the session is ended.
    """
    claims = _read(token, "refresh")
    session = _session_of(claims)
    session.refresh_key, session.last_seen_at = uuid.uuid4(), timezone.now()
    # One statement decides between two that come at once.
    with transaction.atomic():
        is_first = ScriptSession.objects.filter(pk=session.pk, refresh_key=claims["jti"]).update(
            refresh_key=session.refresh_key, last_seen_at=session.last_seen_at, address=address
        )
        if not is_first:
            _end(session, "accounts.script_session.reuse")
    if not is_first:
        raise TokenRefused
    return _pair(session)


def script_session_revoke(*, token: str) -> None:
    """End the session of a refresh token, also of one that was exchanged.

    :raises TokenRefused:
    """
    session = _session_of(_read(token, "refresh"))
    with transaction.atomic():
        _end(session, "accounts.script_session.end")


def access_token_check(*, token: str, address: str | None) -> ScriptSession:
    """Return the live session of an access token, with its person as they are now.

    :raises TokenRefused:
    """
    session = _session_of(_read(token, "access"))
    now = timezone.now()
    before = now - dt.timedelta(seconds=SEEN_SECONDS)
    if session.last_seen_at <= before:
        rows = ScriptSession.objects.filter(pk=session.pk, last_seen_at__lte=before)
        rows.update(last_seen_at=now, address=address)
    return session


def _session_of(claims: dict[str, Any]) -> ScriptSession:
    rows = ScriptSession.objects.select_related("user").filter(expires_at__gt=timezone.now())
    session = rows.filter(key=claims["sid"]).first()
    if session is None or str(session.user_id) != claims["sub"] or not session.user.is_active:
        raise TokenRefused
    if not constant_time_compare(session.auth_hash, session.user.get_session_auth_hash()):
        raise TokenRefused
    return session


def _end(session: ScriptSession, action: str) -> None:
    if ScriptSession.objects.filter(pk=session.pk).delete()[0]:
        entry_record(actor=session.user, action=action, obj=session.user)
        access_changed(user=session.user)


# ---------------------------------------------------------------- the tokens themselves


def _key() -> bytes:
    """Derive the key that signs these tokens and nothing else."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"bmc-portal json web tokens")
    return kdf.derive(settings.SECRET_KEY.encode())


def _pair(session: ScriptSession) -> Pair:
    left = int((session.expires_at - timezone.now()).total_seconds())
    access, refresh = min(ACCESS_SECONDS, left), min(REFRESH_SECONDS, left)
    return Pair(
        _write(session, "access", uuid.uuid4(), access),
        _write(session, "refresh", session.refresh_key, refresh),
        access,
        refresh,
    )


def _write(session: ScriptSession, use: Use, key: uuid.UUID, seconds: int) -> str:
    now = int(time.time())
    claims = {
        "iss": _ISSUER,
        "sub": str(session.user_id),
        "sid": str(session.key),
        "jti": str(key),
        "iat": now,
        "exp": now + seconds,
        "use": use,
    }
    return jwt.encode(claims, _key(), algorithm=_ALGORITHM)


def _read(token: str, use: Use) -> dict[str, Any]:
    """Return the claims of a token that we signed for this use and that has not expired.

    :raises TokenRefused: whatever else it is.
    """
    if len(token) > LONGEST:
        raise TokenRefused
    try:
        claims: dict[str, Any] = jwt.decode(
            token, _key(), algorithms=[_ALGORITHM], issuer=_ISSUER, options={"require": _CLAIMS}
        )
        claims |= {name: uuid.UUID(str(claims[name])) for name in ("sid", "jti")}
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefused from None
    if claims["use"] != use:
        raise TokenRefused
    return claims
