"""What the OpenAPI document says of the REST views: decorators, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from django import forms
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from apps.core.api import MOST_PAGE_SIZE, Listing

ViewT = TypeVar("ViewT", bound=Callable[..., Any])
Bodies = type[serializers.Serializer[Any]]

KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,64}$"},
    OpenApiParameter.HEADER,
    description=(
        "The same key with the same body within 24 h gives the same answer and acts once; with "
        "another body it is refused (422)."
    ),
)
IF_MATCH: Final = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"v[0-9]{1,9}"$'},
    OpenApiParameter.HEADER,
    description="The ETag that was read; another version by now gives 412.",
)
ETAG: Final = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200, 201], description='The version, as "v3".'
)
PK: Final = OpenApiParameter(
    "id", {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, OpenApiParameter.PATH
)
PAGES: Final = (
    OpenApiParameter("page", {"type": "integer", "minimum": 1}),
    OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": MOST_PAGE_SIZE}),
)


def lists(noun: str, listing: Listing, plural: str = "") -> Callable[[ViewT], ViewT]:
    """Describe GET of a list."""
    plural = plural or f"{noun}s"
    return extend_schema(
        methods=["GET"],
        operation_id=f"{noun}_list",
        summary=f"List {plural}",
        tags=[plural],
        parameters=list_parameters(listing),
        responses=page_of(listing),
    )


def creates(noun: str, body: Bodies, answer: Bodies, plural: str = "") -> Callable[[ViewT], ViewT]:
    """Describe POST to a list."""
    plural = plural or f"{noun}s"
    return extend_schema(
        methods=["POST"],
        operation_id=f"{noun}_create",
        summary=f"Add a {noun}",
        tags=[plural],
        parameters=[KEY, ETAG],
        request=body,
        responses={201: answer},
    )


def reads(noun: str, answer: Bodies, plural: str = "") -> Callable[[ViewT], ViewT]:
    """Describe GET of one."""
    return extend_schema(
        methods=["GET"],
        operation_id=f"{noun}_read",
        summary=f"Read one {noun}",
        tags=[plural or f"{noun}s"],
        parameters=[PK, ETAG],
        responses=answer,
    )


def details(noun: str, body: Bodies, answer: Bodies, plural: str = "") -> Callable[[ViewT], ViewT]:
    """Describe GET, PUT, PATCH and DELETE of one."""
    tags = [plural or f"{noun}s"]
    kinds = [
        reads(noun, answer, plural),
        extend_schema(
            methods=["PUT"],
            operation_id=f"{noun}_replace",
            summary=f"Replace a {noun}: what is left out takes its default",
            tags=tags,
            parameters=[PK, IF_MATCH, ETAG],
            request=body,
            responses=answer,
        ),
        extend_schema(
            methods=["PATCH"],
            operation_id=f"{noun}_change",
            summary=f"Change a {noun}: what is left out stays",
            tags=tags,
            parameters=[PK, IF_MATCH, ETAG],
            request=body,
            responses=answer,
        ),
        extend_schema(
            methods=["DELETE"],
            operation_id=f"{noun}_delete",
            summary=f"Remove a {noun}",
            tags=tags,
            parameters=[PK, IF_MATCH],
            request=None,
            responses={204: OpenApiResponse(description="It is gone.")},
        ),
    ]

    def decorate(view: ViewT) -> ViewT:
        for kind in reversed(kinds):
            view = kind(view)
        return view

    return decorate


def acts(
    operation_id: str, summary: str, tag: str, answer: Any, *, body: Any = None, status: int = 200,
    parameters: list[OpenApiParameter] | None = None,
) -> Callable[[ViewT], ViewT]:  # fmt: skip
    """Describe a POST that does something."""
    return extend_schema(
        methods=["POST"],
        operation_id=operation_id,
        summary=summary,
        tags=[tag],
        parameters=[PK, KEY] if parameters is None else parameters,
        request=body,
        responses={status: answer},
    )


def bulk(
    method: str, operation_id: str, summary: str, body: Bodies, answer: Bodies
) -> Callable[[ViewT], ViewT]:
    """Describe a request over many."""
    return extend_schema(
        methods=[method],
        operation_id=operation_id,
        summary=summary,
        tags=["servers"],
        parameters=[KEY] if method == "POST" else [],
        request=body(many=True, partial=method == "PATCH"),
        responses={201 if method == "POST" else 200: answer},
    )


def list_parameters(listing: Listing) -> list[OpenApiParameter]:
    """Return the filters of a list, its order and its pages as query parameters."""
    found = []
    if listing.filters is not None:
        for name, kind in listing.filters.base_filters.items():
            words = str(kind.label or "")
            found.append(OpenApiParameter(name, _filter_type(kind), description=words))
    if listing.orderings:
        found.append(OpenApiParameter("ordering", str, enum=list(listing.orderings)))
    return [*found, *PAGES]


def page_of(listing: Listing) -> Any:
    """Return the shape of one page."""
    row: Any = listing.serializer
    return inline_serializer(
        row.__name__.removesuffix("Serializer") + "Page",
        {
            "count": serializers.IntegerField(help_text="How many match, on all pages."),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": row(many=True),
        },
    )


def _filter_type(kind: Any) -> Any:
    many = (forms.MultipleChoiceField, forms.ModelMultipleChoiceField)
    if issubclass(kind.field_class, many):
        return {"type": "array", "items": _item_type(kind)}
    if issubclass(kind.field_class, forms.NullBooleanField):
        return bool
    return _item_type(kind)


def _item_type(kind: Any) -> dict[str, Any]:
    choices = kind.extra.get("choices")
    if choices := choices() if callable(choices) else choices:
        return {"type": "string", "enum": [str(value) for value, _words in choices]}
    if "queryset" not in kind.extra:
        return {"type": "string"}
    number = {"type": "integer", "minimum": 1}
    if kind.extra.get("null_label") is None:
        return number
    return {"oneOf": [number, {"type": "string", "enum": [kind.extra.get("null_value", "null")]}]}


# ------------------------------------------------------------------ errors of every operation

_ALWAYS: Final = (400, 401, 403, 404, 406, 422, 429, 503)
_WITH_BODY: Final = (409, 411, 412, 413, 415)

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An error (RFC 9457). `code` is for programs.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "hint": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "Path of the field → sentences.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "request_id": {"type": "string"},
        "current_version": {"type": "integer"},
        "differences": {"type": "object", "additionalProperties": True},
    },
    "required": ["type", "title", "status", "code", "detail", "hint"],
}


def api_only(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Preprocessing hook: other doors of the portal are no part of the API."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]


def problems_add(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Postprocessing hook: every operation may answer with a problem."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components.setdefault("responses", {})["Problem"] = {
        "description": "An error.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for path in result["paths"].values():
        for method, operation in path.items():
            codes = _ALWAYS if method == "get" else (*_ALWAYS, *_WITH_BODY)
            for code in codes:
                operation["responses"].setdefault(
                    str(code), {"$ref": "#/components/responses/Problem"}
                )
    return result
