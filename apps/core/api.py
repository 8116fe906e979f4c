"""What the REST views of every app share: bodies, lists, versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec

from django.core.paginator import EmptyPage, Paginator
from django.db import models
from django.db.models import QuerySet
from django.forms import Form, ModelMultipleChoiceField, MultipleChoiceField, NullBooleanField
from django.http import HttpResponseBase, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework import decorators
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer

from apps.core.problems import Errors, Problem, errors_of, invalid
from apps.core.stale import StaleObject

if TYPE_CHECKING:
    from apps.accounts.models import User

P = ParamSpec("P")
Orderings = Mapping[str, tuple[str, ...]]

PAGE_SIZE: Final = 100
MOST_PAGE_SIZE: Final = 200
PAGE_PARAMETERS: Final = ("page", "page_size")
LIST_PARAMETERS: Final = (*PAGE_PARAMETERS, "ordering")
_FLAG_WORDS: Final = frozenset({"", "true", "false", "1", "0"})
_ETAG: Final = re.compile(r'(?:W/)?"v(\d{1,9})"\Z')


class ApiRequest(Request):
    """A request from somebody who is signed in: the permission class let it through."""

    user: User


def api_view(
    *methods: str,
) -> Callable[[Callable[Concatenate[ApiRequest, P], Response]], Callable[..., HttpResponseBase]]:
    """Make a REST view of a function; REST framework's decorator, with the type of who asks.

    What answers GET answers HEAD: ask `is_read`, not the method.
    """
    decorate: Any = decorators.api_view([*methods, *(["HEAD"] if "GET" in methods else [])])
    return decorate  # type: ignore[no-any-return]  # as above


def is_read(request: Request) -> bool:
    return request.method in ("GET", "HEAD")


# ------------------------------------------------------------------ bodies


def valid(
    body: type[Serializer[Any]], request: ApiRequest, *, is_partial: bool = False, **context: Any
) -> dict[str, Any]:
    """Return what the body says, checked field by field.

    :raises rest_framework.exceptions.ValidationError: every problem at once.
    """
    context = {"request": request, "seen": {}, **context}
    filled = body(data=body_of(request), partial=is_partial, context=context)
    filled.is_valid(raise_exception=True)
    return dict(filled.validated_data)


def body_of(request: ApiRequest) -> Any:
    """Return the parsed body; no body at all is an empty object.

    :raises Problem: 411; a body in chunks would be read as an empty one.
    """
    if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
        raise Problem(HTTPStatus.LENGTH_REQUIRED)
    return {} if isinstance(request.data, QueryDict) else request.data


# ------------------------------------------------------------------ answers


def shown(
    serializer: type[BaseSerializer[Any]],
    row: models.Model,
    request: ApiRequest,
    *,
    status: int = HTTPStatus.OK,
    location: str = "",
    **context: Any,
) -> Response:
    """Answer with one object, its version as ETag, and where it is."""
    told = serializer(row, context={"request": request, **context})
    headers = {"Cache-Control": "no-store"}
    if (version := getattr(row, "version", None)) is not None:
        headers["ETag"] = f'"v{version}"'
    if location:
        headers["Location"] = request.build_absolute_uri(location)
    return Response(told.data, status=status, headers=headers)


def gone() -> Response:
    return Response(status=HTTPStatus.NO_CONTENT)


# ------------------------------------------------------------------ versions


def expected_version(
    request: ApiRequest, row: models.Model, body: Mapping[str, Any] | None = None
) -> int | None:
    """Return the version the caller read, from `If-Match` or the body; None: they do not say.

    :raises StaleObject: it is another one by now.
    :raises Problem: 400, the header cannot be read.
    """
    current: int = row.version  # type: ignore[attr-defined]  # any versioned model
    told = _if_match(request.headers.get("If-Match"))
    named = (body or {}).get("version")
    if (told is not None and current not in told) or (named is not None and named != current):
        raise StaleObject(row)
    return None if told is None and named is None else current


def _if_match(header: str | None) -> set[int] | None:
    if header is None or header.strip() == "*":
        return None
    found = [_ETAG.match(part.strip()) for part in header.split(",")]
    if not all(found):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            detail=_('The header “If-Match” cannot be read. Write it like “ETag”: "v3".'),
        )
    return {int(match[1]) for match in found if match}


def differences(mine: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which two tellings of one object differ."""
    return {
        name: {"yours": value, "current": current.get(name)}
        for name, value in mine.items()
        if current.get(name) != value
    }


# ------------------------------------------------------------------ lists


@dataclass(frozen=True, slots=True)
class Listing:
    """How a kind of row is listed. `context` gives what the rows of one page need beside them."""

    serializer: type[BaseSerializer[Any]]
    orderings: Orderings
    filters: Any = None
    """A FilterSet; pages use the same."""
    context: Callable[[Sequence[Any], ApiRequest], dict[str, Any]] = field(
        default=lambda rows, request: {}
    )

    def answer(
        self,
        request: ApiRequest,
        rows: QuerySet[Any],
        *,
        of_page: Callable[[Sequence[Any]], Sequence[Any]] = list,
    ) -> Response:
        """Answer with one page of those that match; `of_page` may look up more about its rows.

        Without orderings the rows come as they are.

        :raises Problem: 422 for every parameter that is unknown or has no meaning.
        """
        errors: Errors = {}
        asked = request.query_params
        filtered = self._filtered(request, rows, errors)
        if self.orderings:
            filtered = self._ordered(asked, filtered, errors)
        size = _number(asked.get("page_size"), PAGE_SIZE, MOST_PAGE_SIZE, "page_size", errors)
        number = _number(asked.get("page"), 1, 10**9, "page", errors)
        if errors:
            raise invalid(errors)
        return self._page(request, Paginator(filtered, size), number, of_page)

    def _ordered(self, asked: QueryDict, rows: QuerySet[Any], errors: Errors) -> QuerySet[Any]:
        ordering = asked.get("ordering", next(iter(self.orderings)))
        if ordering in self.orderings:
            return rows.order_by(*self.orderings[ordering], "pk")
        words = _("Choose one of: %(names)s.")
        errors["ordering"] = [words % {"names": ", ".join(self.orderings)}]
        return rows

    def _filtered(self, request: ApiRequest, rows: QuerySet[Any], errors: Errors) -> QuerySet[Any]:
        known = set(LIST_PARAMETERS if self.orderings else PAGE_PARAMETERS)
        if self.filters is None:
            filtered = rows
        else:
            known |= set(self.filters.base_filters)
            asked = request.query_params.copy()
            filterset = self.filters(data=asked, queryset=rows, request=request)
            for name in set(filterset.filters) - set(asked):
                del filterset.filters[name]  # its choices would be asked for all the same
            errors |= _unclear(filterset.form, asked)
            for name in errors:
                asked.pop(name, None)  # no database takes numbers of any length
            if filterset.is_valid():
                filtered = filterset.qs
            else:
                filtered = rows.none()
                errors |= {name: list(found) for name, found in filterset.errors.items()}
        for name in sorted(set(request.query_params) - known)[:20]:
            errors[name[:60]] = [_("There is no such filter.")]
        return filtered

    def _page(
        self,
        request: ApiRequest,
        pages: Paginator[Any],
        number: int,
        of_page: Callable[[Sequence[Any]], Sequence[Any]],
    ) -> Response:
        try:
            page = pages.page(number)
        except EmptyPage:
            words = ngettext("There is %(n)d page.", "There are %(n)d pages.", pages.num_pages)
            raise invalid({"page": [words % {"n": pages.num_pages}]}) from None
        rows = of_page(list(page.object_list))
        context = {"request": request, **self.context(rows, request)}
        told = {
            "count": pages.count,
            "next": _page_url(request, number + 1) if page.has_next() else None,
            "previous": _page_url(request, number - 1) if page.has_previous() else None,
            "results": self.serializer(rows, many=True, context=context).data,
        }
        return Response(told, headers={"Cache-Control": "no-store"})


def _is_no_id(text: str) -> bool:
    return len(text) > 18 and text.strip().lstrip("+-").isdecimal()


def _unclear(form: Form, asked: QueryDict) -> Errors:
    """Find what a form would pass over: a second value, and a word that is neither yes nor no."""
    errors: Errors = {}
    for name, found in asked.lists():
        kind = form.fields.get(name)
        is_many = isinstance(kind, (MultipleChoiceField, ModelMultipleChoiceField))
        if len(found) > 1 and not is_many:
            errors[name] = [_("Give it once.")]
        elif isinstance(kind, ModelMultipleChoiceField) and any(map(_is_no_id, found)):
            errors[name] = [_("Nothing has this id.")]
        elif isinstance(kind, NullBooleanField) and found[0].lower() not in _FLAG_WORDS:
            errors[name] = [_("Choose one of: %(names)s.") % {"names": "true, false"}]
    return errors


def _number(text: str | None, default: int, most: int, name: str, errors: Errors) -> int:
    if text is None:
        return default
    if text.isascii() and text.isdecimal() and len(text) < 11 and 1 <= int(text) <= most:
        return int(text)
    errors[name] = [_("A whole number from 1 to %(most)d is expected.") % {"most": most}]
    return default


def _page_url(request: ApiRequest, number: int) -> str:
    asked = request.query_params.copy()
    asked["page"] = str(number)
    return request.build_absolute_uri(f"{request.path}?{asked.urlencode()}")


# ------------------------------------------------------------------ services


def problem_at(error: Any, paths: Callable[[str], str] = str) -> Problem:
    """Return the 422 of a service's complaint, at the fields of the body."""
    return invalid(errors_of(error, paths))
