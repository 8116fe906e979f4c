"""The browser in which somebody signed in before, known by a signed cookie.

Strangers who guess at an account lock it for everybody else, but not for its person: tries from a
known device are counted by themselves. The cookie holds for one account and one password.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import get_random_string, salted_hmac

AGE_SECONDS: Final = 180 * 24 * 3600
PREFIX: Final = "known_device_"
_SALT: Final = "accounts.device"


def has_any(request: HttpRequest) -> bool:
    """Say whether the browser brings such a cookie, of whomever."""
    return any(name.startswith(PREFIX) for name in request.COOKIES)


def device_of(request: HttpRequest, user_id: int, password_hash: str) -> str:
    """Return the id of the known device of this account, or nothing."""
    cookie = request.COOKIES.get(f"{PREFIX}{user_id}", "")
    try:
        told: Any = signing.loads(cookie, salt=_SALT, max_age=AGE_SECONDS)
    except signing.BadSignature:
        return ""
    user, device, mark = told
    return str(device) if (user, mark) == (user_id, _mark(password_hash)) else ""


def device_remember(response: HttpResponseBase, user_id: int, password_hash: str) -> None:
    """Know this browser again; call it when the sign-in is whole."""
    told = [user_id, get_random_string(16), _mark(password_hash)]
    response.set_cookie(
        f"{PREFIX}{user_id}",
        signing.dumps(told, salt=_SALT),
        max_age=AGE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
        path="/account/",
    )


def _mark(password_hash: str) -> str:
    return salted_hmac(_SALT, password_hash, algorithm="sha256").hexdigest()[:32]
