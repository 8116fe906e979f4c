"""Bodies of the REST API: JSON, bounded, and made of characters that can be stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apps.core.problems import BODY, invalid

_UNSTORABLE: Final = frozenset({"\0", *map(chr, range(0xD800, 0xE000))})


class BodyParser(BaseParser):
    """JSON in UTF-8, at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes, without NaN, Infinity and
    names that stand twice."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise RequestDataTooBig
        try:
            data = json.loads(
                raw.decode("utf-8"),
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_twice,
            )
        except (ValueError, RecursionError) as error:
            raise ParseError from error
        if errors := {path: [_unstorable_words()] for path in _unstorable(data)}:
            raise invalid(dict(list(errors.items())[:100]))
        return data


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """:raises Problem: 422; of two values under one name somebody would read the other one."""
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise invalid({twice if _UNSTORABLE.isdisjoint(twice) else BODY: [_("Give it once.")]})
    return data


def _unstorable_words() -> str:
    return _("It contains characters that cannot be stored.")


def _unstorable(data: Any, path: str = "") -> Iterator[str]:
    """Yield where NUL and halves of surrogate pairs stand: neither database takes them."""
    if isinstance(data, str):
        if not _UNSTORABLE.isdisjoint(data):
            yield path or BODY
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _unstorable(item, f"{path}.{index}".lstrip("."))
    elif isinstance(data, dict):
        for key, item in data.items():
            if not _UNSTORABLE.isdisjoint(key):
                yield path or BODY
            else:
                yield from _unstorable(item, f"{path}.{key}".lstrip("."))
