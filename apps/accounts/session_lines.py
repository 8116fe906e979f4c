"""The sessions of a person as lines of a table: browsers and scripts together."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.agents import agent_words
from apps.accounts.models import User
from apps.accounts.selectors import browser_sessions_of, script_sessions_of
from apps.accounts.services.sessions import NO_ADDRESS


@dataclass(frozen=True, slots=True)
class SessionLine:
    name: str
    address: str
    """Empty: it could not be read."""
    began_at: dt.datetime
    seen_at: dt.datetime
    """Right to a minute."""
    end_url: str
    is_this: bool = False
    is_script: bool = False


def session_lines(user: User, this: str | None) -> list[SessionLine]:
    """Return them, the one with the key `this` first, then by when they were last seen."""
    lines = [
        SessionLine(
            agent_words(row.user_agent),
            "" if row.ip == NO_ADDRESS else row.ip,
            row.created_at,
            row.last_seen_at,
            reverse("accounts:session_end", args=[row.pk]),
            is_this=row.session_key == this,
        )
        for row in browser_sessions_of(user)
    ]
    lines += [
        SessionLine(
            _("Script"),
            row.address or "",
            row.created_at,
            row.last_seen_at,
            reverse("accounts:script_session_end", args=[row.pk]),
            is_script=True,
        )
        for row in script_sessions_of(user)
    ]
    return sorted(lines, key=lambda line: (line.is_this, line.seen_at), reverse=True)
