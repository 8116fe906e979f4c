"""No request is larger than the portal takes: refused before it is stored and before anybody's
session or token is looked at.

The server hands over whole bodies, and Django keeps them on disk until somebody reads them: without
an end to that, strangers fill it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.problems import Problem, problem_response

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of any request; a form or a JSON document may have less (`DATA_UPLOAD_MAX_MEMORY_SIZE`)."""
_TOO_LARGE: Final = "bmcportal.too_large"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BodyLimit:
    """ASGI: ends a body that is too large, and marks the request for `BodyLimitMiddleware`."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        length = dict(scope["headers"]).get(b"content-length", b"")
        left = MOST_BYTES - (int(length) if length.isdigit() and len(length) < 20 else 0)
        scope[_TOO_LARGE] = is_over = left < 0
        left, is_told = MOST_BYTES, False

        async def limited() -> Message:
            nonlocal left, is_over, is_told
            if is_over and not is_told:
                is_told = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await receive()
            while is_told and message["type"] == "http.request":
                message = await receive()  # the rest of it is for nobody
            left -= len(message.get("body", b""))
            if left < 0 and not is_told:
                scope[_TOO_LARGE] = is_over = is_told = True
                return {"type": "http.request", "body": b"", "more_body": False}
            return message

        await self._application(scope, limited, send)


def BodyLimitMiddleware(  # noqa: N802  Django's way
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer 413 to what was marked."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not getattr(request, "scope", {}).get(_TOO_LARGE):
            return get_response(request)
        if request.path.startswith("/api/"):
            return problem_response(Problem(413))
        return render(request, "400.html", status=413)

    return middleware
