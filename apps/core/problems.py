"""Every error of the REST API as `application/problem+json` (RFC 9457).

`code` is for programs and is never translated; `title`, `detail` and `hint` are for people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from apps.core.stale import StaleObject

log = structlog.get_logger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
BODY: Final = "body"
"""Where sentences stand that belong to no field."""
DATABASE_RETRY_SECONDS: Final = 15

Errors = dict[str, list[str]]
Words = tuple[str | Promise, str | Promise]

WORDS: Final[dict[str, Words]] = {
    "bad_request": (
        gettext_lazy("The request cannot be read."),
        gettext_lazy("Compare it with the examples in the documentation of the API."),
    ),
    "malformed": (
        gettext_lazy("The body is not JSON."),
        gettext_lazy("Send one JSON document in UTF-8, without NaN or Infinity."),
    ),
    "not_signed_in": (
        gettext_lazy("Nobody is signed in."),
        gettext_lazy(
            "Send “Authorization: Token …” or “Authorization: Bearer …”, or sign in with a browser."
        ),
    ),
    "token_refused": (
        gettext_lazy("The token is not valid."),
        gettext_lazy(
            "It is mistyped, expired or ended, or its person was disabled. Ask for a new one."
        ),
    ),
    "wrong_credentials": (
        gettext_lazy("Name or password is not right."),
        gettext_lazy("After 10 wrong tries there is a pause of 15 min."),
    ),
    "locked_out": (
        gettext_lazy("Too many wrong tries with this name."),
        gettext_lazy(
            "Wait as long as the header “Retry-After” says; the right password does not shorten it."
        ),
    ),
    "second_factor_code_needed": (
        gettext_lazy("A code of the second factor is needed."),
        gettext_lazy("Send it as “code”, with name and password."),
    ),
    "second_factor_code_wrong": (
        gettext_lazy("The code is not right."),
        gettext_lazy("Send the one that is shown now; each works once."),
    ),
    "second_factor_missing": (
        gettext_lazy("Your roles need a second factor."),
        gettext_lazy("Sign in with a browser and set it up."),
    ),
    "password_change_needed": (
        gettext_lazy("The password has to be changed first."),
        gettext_lazy("Sign in with a browser and choose a new one."),
    ),
    "forbidden": (
        gettext_lazy("Your role does not allow this."),
        gettext_lazy("Nothing was changed and nothing was sent. Ask an admin for the role."),
    ),
    "csrf_failed": (
        gettext_lazy("The CSRF token is missing or not right."),
        gettext_lazy(
            "Send what a page has in its meta tag “csrf-token” as the header “X-CSRFToken”, "
            "or use an API token."
        ),
    ),
    "not_found": (
        gettext_lazy("Nothing is here."),
        gettext_lazy("It was removed, it never was, or your roles do not reach it."),
    ),
    "method_not_allowed": (
        gettext_lazy("This address does not take this method."),
        gettext_lazy("The header “Allow” names those it takes."),
    ),
    "not_acceptable": (
        gettext_lazy("The API answers in JSON only."),
        gettext_lazy("Send “Accept: application/json”, or no such header."),
    ),
    "conflict": (
        gettext_lazy("Somebody stored the same name or address at this moment."),
        gettext_lazy("Read it again, then decide."),
    ),
    "in_use": (
        gettext_lazy("Something still uses it."),
        gettext_lazy("Move or remove what uses it first."),
    ),
    "protected": (
        gettext_lazy("The server is protected."),
        gettext_lazy("Nothing was sent. An admin lifts the protection first."),
    ),
    "refused": (
        gettext_lazy("Its present state does not allow this."),
        gettext_lazy("Nothing was changed and nothing was sent."),
    ),
    "in_progress": (
        gettext_lazy("The same request is at work."),
        gettext_lazy("Send it again in some seconds: the answer will be that of the first."),
    ),
    "length_required": (
        gettext_lazy("The length of the body is missing."),
        gettext_lazy("Send “Content-Length”; bodies in chunks are not taken."),
    ),
    "stale": (
        gettext_lazy("It was saved by somebody else meanwhile. Nothing was changed."),
        gettext_lazy("Read it again, look at the differences, and send it with the new version."),
    ),
    "too_large": (
        gettext_lazy("The request is too large."),
        gettext_lazy("Split it into several."),
    ),
    "unsupported_media_type": (
        gettext_lazy("The body has to be JSON."),
        gettext_lazy("Send “Content-Type: application/json”."),
    ),
    "invalid": (
        gettext_lazy("Something in it cannot be. Nothing was changed."),
        gettext_lazy("“errors” says what, field by field."),
    ),
    "idempotency_key_reused": (
        gettext_lazy("This Idempotency-Key came with another request before."),
        gettext_lazy("Nothing was done. Use a new key for a new request."),
    ),
    "too_many_requests": (
        gettext_lazy("Too many requests within a short time."),
        gettext_lazy("Wait as long as the header “Retry-After” says."),
    ),
    "database_away": (
        gettext_lazy("The database does not answer."),
        gettext_lazy(
            "Nothing is known to be changed. Try again in a minute, with the same Idempotency-Key."
        ),
    ),
    "server_error": (
        gettext_lazy("The portal made a mistake."),
        gettext_lazy(
            "It is logged under the request id. Read the state before you repeat a command."
        ),
    ),
}
"""Code → what happened (title), and what to do next (hint)."""

CODE_OF_STATUS: Final[dict[int, str]] = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    411: "length_required",
    412: "stale",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    503: "database_away",
}


class Problem(Exception):
    """An answer that is an error. `more` become further members of the document."""

    def __init__(
        self,
        status: int,
        code: str = "",
        detail: str | Promise = "",
        *,
        hint: str | Promise = "",
        errors: Errors | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        self.status = status
        self.code = code or CODE_OF_STATUS.get(status, "server_error")
        self.detail, self.hint = detail, hint
        self.errors = errors or {}
        self.headers = dict(headers or {})
        self.more = more
        super().__init__(self.code)

    def document(self) -> dict[str, Any]:
        """Return it as it is sent."""
        title, hint = WORDS[self.code]
        request_id = structlog.contextvars.get_contextvars().get("request_id", "")
        told: dict[str, Any] = {
            "type": f"urn:bmc-portal:problem:{self.code}",
            "title": str(title),
            "status": self.status,
            "code": self.code,
            "detail": str(self.detail or title),
            "hint": str(self.hint or hint),
        }
        if self.errors:
            told["errors"] = self.errors
        if request_id:
            told["request_id"] = str(request_id)
        return {**told, **self.more}


def invalid(errors: Errors, **more: Any) -> Problem:
    """Return the 422 that names fields, with their sentences."""
    first = next(iter(errors.items()), None)
    detail = "" if first is None else " ".join(first[1])
    if first is not None and first[0] != BODY:
        detail = f"{first[0]}: {detail}"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail=detail, errors=errors, **more)


def errors_flat(detail: Any, path: str = "") -> Errors:
    """Turn what serializers and services complain about into field path → sentences."""
    found: Errors = {}
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            is_general = key in ("non_field_errors", NON_FIELD_ERRORS)
            deeper = path if is_general else f"{path}.{key}".lstrip(".")
            found |= errors_flat(inner, deeper)
        return found
    items = detail if isinstance(detail, (list, tuple)) else [detail]
    sentences = [str(item) for item in items if not isinstance(item, (Mapping, list))]
    if sentences:
        found[path or BODY] = sentences
    for index, item in enumerate(items):
        if isinstance(item, (Mapping, list)):
            found |= errors_flat(item, f"{path}.{index}".lstrip("."))
    return found


def errors_of(error: ValidationError, paths: Callable[[str], str] = str) -> Errors:
    """Return the sentences of a service's complaint; `paths` translates its field names."""
    if hasattr(error, "error_dict"):
        return {
            BODY if name == NON_FIELD_ERRORS else paths(name): list(sentences)
            for name, sentences in error.message_dict.items()
        }
    return {BODY: list(error.messages)}


def refused(error: ValidationError, code: str = "refused") -> Problem:
    """Return the 409 of what cannot be done as things stand; there is no field to name."""
    return Problem(HTTPStatus.CONFLICT, code, " ".join(error.messages))


def stale(error: StaleObject, **more: Any) -> Problem:
    version = getattr(error.current, "version", None)
    return Problem(
        HTTPStatus.PRECONDITION_FAILED,
        headers={"ETag": f'"v{version}"'},
        current_version=version,
        **more,
    )


def _api(error: Exception) -> Problem:
    assert isinstance(error, exceptions.APIException)  # noqa: S101  narrows the type
    if isinstance(error, exceptions.ValidationError):
        return invalid(errors_flat(error.detail))
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Problem(error.status_code, _api_code(error), headers=headers)


def _api_code(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.ParseError):
        return "malformed"
    if isinstance(error, exceptions.AuthenticationFailed):
        return "token_refused"
    if isinstance(error, exceptions.PermissionDenied) and "CSRF" in str(error.detail):
        return "csrf_failed"
    return ""


def _validation(error: Exception) -> Problem:
    assert isinstance(error, ValidationError)  # noqa: S101  narrows the type
    return invalid(errors_of(error))


def _stale(error: Exception) -> Problem:
    assert isinstance(error, StaleObject)  # noqa: S101  narrows the type
    return stale(error)


def _database(error: Exception) -> Problem:
    log.error("database_away", error=type(error).__name__)
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": str(DATABASE_RETRY_SECONDS)}
    )


def _out_of_range(error: Exception) -> Problem:
    log.warning("value_out_of_range", error=type(error).__name__)
    return invalid({BODY: [_("A number is larger than the portal can keep.")]})


def _same(error: Exception) -> Problem:
    assert isinstance(error, Problem)  # noqa: S101  narrows the type
    return error


_PROBLEMS: Final[list[tuple[type[Exception], Callable[[Exception], Problem]]]] = [
    (Problem, _same),
    (exceptions.APIException, _api),
    (Http404, lambda _error: Problem(HTTPStatus.NOT_FOUND)),
    (PermissionDenied, lambda _error: Problem(HTTPStatus.FORBIDDEN)),
    (ValidationError, _validation),
    (StaleObject, _stale),
    (ProtectedError, lambda _error: Problem(HTTPStatus.CONFLICT, "in_use")),
    (IntegrityError, lambda _error: Problem(HTTPStatus.CONFLICT)),
    (DataError, _out_of_range),
    (OverflowError, _out_of_range),
    (OperationalError, _database),
    (InterfaceError, _database),
    (RequestDataTooBig, lambda _error: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)),
    (SuspiciousOperation, lambda _error: Problem(HTTPStatus.BAD_REQUEST)),
]


def problem_of(error: BaseException | None) -> Problem | None:
    """Return the answer to this exception, or None: then it is our own mistake."""
    for kind, build in _PROBLEMS:
        if isinstance(error, kind):
            return build(error)
    return None


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer for REST framework; what is left goes to `bmcportal.errors.server_error`."""
    problem = problem_of(error)
    if problem is None:
        return None
    request = context["request"]
    # Whatever the view renders, its errors are JSON.
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    return Response(
        problem.document(),
        status=problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
        content_type=CONTENT_TYPE,
    )


def problem_response(problem: Problem) -> HttpResponse:
    """Answer outside of REST framework: before a view was found, or after it broke."""
    return HttpResponse(
        json.dumps(problem.document(), ensure_ascii=False),
        status=problem.status,
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )
