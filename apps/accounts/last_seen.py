"""When a session was last seen: the database is told once a minute, not at each request."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.accounts.models import User
from apps.accounts.services.sessions import session_seen


def LastSeenMiddleware(  # noqa: N802  Django's way
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Keep the list of sessions true. After the answer, as a session's key may change in it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.session.session_key and isinstance(request.user, User):
            session_seen(request=request, user=request.user)
        return response

    return middleware
