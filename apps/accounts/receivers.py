"""What follows from a sign-in or sign-out, through whatever door."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.services.sessions import session_forget, session_track


def connect() -> None:
    """Listen; once, when the apps are ready."""
    user_logged_in.connect(signed_in, dispatch_uid="session_track")
    user_logged_out.connect(signed_out, dispatch_uid="session_forget")


def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    session_track(request=request, user=user)


def signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    key = getattr(request.session, "session_key", None)
    if user is not None and key:
        session_forget(session_key=key, user=user)
