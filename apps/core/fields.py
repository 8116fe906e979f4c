"""Fields of models, and a way to look them up."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from django.db import models

_NUMBER: Final = re.compile(r"[0-9]+")
KEY_LENGTH: Final = 600


def natural_key(text: str) -> str:
    """Return a text that sorts as people count: `web-2` before `web-10`.

    Each number gets the count of its digits in front, so that longer numbers come later.
    """
    return _NUMBER.sub(_counted, text.lower())[:KEY_LENGTH]


def _counted(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0") or "0"
    return f"{len(digits):02d}{digits}"


class NaturalKeyField(models.CharField):  # type: ignore[type-arg]  # not generic at run time
    """The natural key of another field of the same row, filled whenever the row is saved."""

    def __init__(self, *args: Any, source: str = "", **kwargs: Any) -> None:
        self.source = source
        kwargs |= {"max_length": KEY_LENGTH, "editable": False, "default": ""}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        for given in ("max_length", "editable", "default"):
            del kwargs[given]
        return name, path, args, {**kwargs, "source": self.source}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key = natural_key(str(getattr(model_instance, self.source)))
        setattr(model_instance, self.attname, key)
        return key


@models.CharField.register_lookup
class Among(models.Lookup):
    """`name__among=[…]`: as `in`, for thousands of texts: they are one parameter, not one each."""

    lookup_name = "among"
    prepare_rhs = False

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s)", [*params, list(self.rhs)]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        sql = f"{left} IN (SELECT value FROM json_each(%s))"  # noqa: S608  Django's own column name
        return sql, [*params, json.dumps(list(self.rhs))]
