"""The end of a person's access."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.models import User


def access_end(*, user: User, keep_session: str | None = None) -> None:
    """End every session of a person but the one to keep. API tokens stay: they are dead while the
    person is disabled."""
    open_now = Session.objects.filter(expire_date__gt=timezone.now())
    if keep_session is not None:
        open_now = open_now.exclude(session_key=keep_session)
    ended = [
        session.session_key
        for session in open_now.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    Session.objects.filter(session_key__in=ended).delete()
    UserSession.objects.filter(user=user).exclude(session_key=keep_session or "").delete()
