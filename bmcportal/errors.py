"""The last resort for errors: a sentence and a request id, never a traceback."""

from __future__ import annotations

import sys

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views import defaults

from apps.core.problems import Problem, problem_of, problem_response

log = structlog.get_logger(__name__)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what could not be taken apart, such as a foreign host name or too many fields."""
    if _is_api(request):
        return problem_response(Problem(400))
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 when the database is away, 500 for our own faults; both with what to do next."""
    error = sys.exc_info()[1]
    if _is_api(request):
        return problem_response(problem_of(error) or Problem(500))
    context = {"request_id": structlog.contextvars.get_contextvars().get("request_id", "")}
    if isinstance(error, (OperationalError, InterfaceError)):
        log.error("database_away", error=type(error).__name__)
        context |= {
            "title": _("The database does not answer"),
            "sentence": _(
                "Nothing was changed and nothing was sent. Servers keep their state. "
                "Try again in a minute; if it stays, tell whoever runs the portal."
            ),
        }
        response = HttpResponse(render_to_string("503.html", context), status=503)
        response["Retry-After"] = "15"
        return response
    context |= {
        "title": _("The portal made a mistake"),
        "sentence": _(
            "It is logged under the number below. Look at the server's page before you repeat "
            "a command: it shows what was sent."
        ),
    }
    return HttpResponse(render_to_string("503.html", context), status=500)
