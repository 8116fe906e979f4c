"""The sessions of browsers: whose they are, from where, when they were last seen."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, Final

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import ScriptSession, User
from apps.accounts.selectors import browser_sessions_of
from apps.accounts.services.access import access_changed, access_end, browser_sessions_end
from apps.audit.services import entry_record
from apps.core.http import peer_address

SEEN_SECONDS: Final = 60
"""When somebody was last seen is kept this exactly."""
NO_ADDRESS: Final = "::"
"""Stands where no address could be read."""
MOST_AGENT: Final[int] = UserSession._meta.get_field("user_agent").max_length
MOST_REMEMBERED: Final = 10_000


class Recently:
    """Says whether something was asked for within the last minute by this process. Bounded."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Recently [{len(self._asked)} remembered]>"

    def add(self, key: str) -> bool:
        """Remember it; True when it was not remembered."""
        now = time.time()
        if 0 <= now - self._asked.get(key, 0) < SEEN_SECONDS:
            return False
        if len(self._asked) >= MOST_REMEMBERED:
            self._asked.clear()
        self._asked[key] = now
        return True


_recently = Recently()


def session_track(*, request: HttpRequest, user: User) -> None:
    """Note a session that begins, and forget those of this person that are over."""
    if not request.session.session_key:
        request.session.save()
    with transaction.atomic():
        live = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
        UserSession.objects.filter(user=user).exclude(session_key__in=live).delete()
        UserSession.objects.update_or_create(
            session_key=request.session.session_key,
            defaults={"user": user, "last_seen_at": timezone.now(), **_client_of(request)},
        )
    _recently.add(request.session.session_key or "")


def session_seen(*, request: HttpRequest, user: User) -> None:
    """Note that a session is in use; asks the database at most once a minute in each process."""
    now, key = timezone.now(), request.session.session_key or ""
    if not _recently.add(key):
        return
    client = _client_of(request)
    known = UserSession.objects.filter(session_key=key)
    before = now - dt.timedelta(seconds=SEEN_SECONDS)
    if known.filter(last_seen_at__lte=before).update(last_seen_at=now, **client):
        return
    # Its key changed (with the password, say): then it is not known by this one yet. One that was
    # ended while it was answered stays ended.
    if not known.exists() and Session.objects.filter(session_key=key).exists():
        defaults = {"user": user, "last_seen_at": now, **client}
        UserSession.objects.get_or_create(session_key=key, defaults=defaults)


def session_forget(*, session_key: str, user: User) -> None:
    """Forget a session that its person ended by signing out."""
    with transaction.atomic():
        browser_sessions_end([session_key])
        access_changed(user=user)


def session_end(*, user: User, session: UserSession | ScriptSession) -> None:
    """End one of a person's own sessions."""
    with transaction.atomic():
        if isinstance(session, ScriptSession):
            session.delete()
        else:
            browser_sessions_end([session.session_key])
        entry_record(actor=user, action="accounts.session.end", obj=user, after={"sessions": 1})
        access_changed(user=user)


def sessions_end_others(*, user: User, keep_session: str | None) -> int:
    """End all sessions of a person but one; return how many there were."""
    with transaction.atomic():
        others = browser_sessions_of(user).exclude(session_key=keep_session or "").count()
        others += ScriptSession.objects.filter(user=user).count()
        access_end(user=user, keep_session=keep_session)
        if others:
            told = {"sessions": others}
            entry_record(actor=user, action="accounts.session.end", obj=user, after=told)
    return others


def _client_of(request: HttpRequest) -> dict[str, Any]:
    agent = request.META.get("HTTP_USER_AGENT", "")[:MOST_AGENT].replace("\0", "")
    return {"ip": peer_address(request) or NO_ADDRESS, "user_agent": agent}
