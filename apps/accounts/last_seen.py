"""When a session was last seen: the database is told once a minute, not at each request."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from apps.accounts.models import User
from apps.accounts.services.sessions import session_seen

log = structlog.get_logger(__name__)


def LastSeenMiddleware(  # noqa: N802  Django's way
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Keep the list of sessions true. After the answer, as a session's key may change in it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        try:
            if request.session.session_key and isinstance(request.user, User):
                session_seen(request=request, user=request.user)
        except (OperationalError, InterfaceError) as error:
            # What was asked for is done: an answer that says so must not be replaced.
            log.warning("last_seen_not_written", error=type(error).__name__)
        return response

    return middleware
