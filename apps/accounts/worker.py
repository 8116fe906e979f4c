"""What is done for people in the background."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.models import ScriptSession


def sessions_forget() -> int:
    """Delete sessions of browsers and of scripts that are over; return how many there were."""
    now = timezone.now()
    browsers = Session.objects.filter(expire_date__lte=now).delete()[0]
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    scripts = ScriptSession.objects.filter(expires_at__lte=now).delete()[0]
    return int(browsers + scripts)
