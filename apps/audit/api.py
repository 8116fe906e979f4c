"""`Idempotency-Key` for the REST views of every app."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, Final, ParamSpec

from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from apps.audit.idempotency import (
    Answer,
    Asked,
    KeyReused,
    StillAtWork,
    answer_find,
    answer_once,
    body_hash,
)
from apps.core.api import ApiRequest, body_of
from apps.core.problems import Problem

P = ParamSpec("P")
View = Callable[Concatenate[ApiRequest, P], Response]

KEY_HEADER: Final = "Idempotency-Key"
RETRY_SECONDS: Final = 2
_KEY: Final = re.compile(r"[\x21-\x7e]{1,64}\Z")
_KEPT_HEADERS: Final = ("Location", "ETag")


def idempotent(view: View[P]) -> View[P]:
    """Answer a repeated POST as the first one, before anything else is looked at.

    The view validates, then does what it does through `once`.
    """

    @wraps(view)
    def wrapper(request: ApiRequest, *args: P.args, **kwargs: P.kwargs) -> Response:
        asked = _asked(request)
        if asked is not None:
            try:
                if kept := answer_find(asked):
                    return _response(kept, is_repeated=True)
            except KeyReused:
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused") from None
        return view(request, *args, **kwargs)

    return wrapper  # type: ignore[return-value]  # the name of the first parameter


def once(request: ApiRequest, act: Callable[[uuid.UUID | None], Response]) -> Response:
    """Call `act`, once for all requests with this key; in one transaction, so no network in it."""
    asked = _asked(request)
    if asked is None:
        return act(None)
    try:
        answer, is_repeated = answer_once(asked, lambda key: _answer(act(key)))
    except KeyReused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused") from None
    except StillAtWork:
        headers = {"Retry-After": str(RETRY_SECONDS)}
        raise Problem(HTTPStatus.CONFLICT, "in_progress", headers=headers) from None
    return _response(answer, is_repeated=is_repeated)


def _asked(request: ApiRequest) -> Asked | None:
    """:raises Problem: 400, the key cannot be one."""
    key = request.headers.get(KEY_HEADER)
    if key is None or request.method != "POST":
        return None
    if not _KEY.match(key):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            detail=_("An Idempotency-Key has 1 to 64 printable ASCII characters and no space."),
        )
    path = request.path.rstrip("/")
    if len(path) > 200:
        raise RequestDataTooBig
    return Asked(request.user, key, "POST", path, body_hash(body_of(request)))


def _answer(response: Response) -> Answer:
    text = JSONRenderer().render(response.data).decode()
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    return Answer(response.status_code, text, headers)


def _response(answer: Answer, *, is_repeated: bool) -> Response:
    headers: dict[str, Any] = {"Cache-Control": "no-store", **answer.headers}
    if is_repeated:
        headers["Idempotency-Replayed"] = "true"
    return Response(json.loads(answer.text), status=answer.status, headers=headers)
