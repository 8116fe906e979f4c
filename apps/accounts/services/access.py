"""The end of a person's access, or of a part of it: at once, at every door."""

from __future__ import annotations

from collections.abc import Iterable

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from apps.accounts.models import ScriptSession, User
from apps.core.events import ACCESS_EVENT, person_group, publish


def access_end(*, user: User, keep_session: str | None = None) -> None:
    """End every session of a person, of browsers and of scripts; one browser may stay.

    `keep_session` is its session key. Their sockets close at once. API tokens stay: they are dead
    while their person is disabled, and `tokens_revoke` takes them away.
    """
    with transaction.atomic():
        browsers = UserSession.objects.filter(user=user)
        if keep_session:
            browsers = browsers.exclude(session_key=keep_session)
        browser_sessions_end(browsers.values_list("session_key", flat=True))
        ScriptSession.objects.filter(user=user).delete()
        access_changed(user=user)


def browser_sessions_end(keys: Iterable[str]) -> None:
    """End these sessions of browsers; call it in a transaction, then `access_changed`."""
    ended = list(keys)
    Session.objects.filter(session_key__in=ended).delete()
    UserSession.objects.filter(session_key__in=ended).delete()


def access_changed(*, user: User) -> None:
    """Let every socket of a person look again what they may see, when this is committed."""
    publish(person_group(user.pk), ACCESS_EVENT)
