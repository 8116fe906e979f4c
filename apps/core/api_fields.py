"""Fields of REST bodies. A wrong type is refused, never turned into something near it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.text import invisible_in, visible_text_validate

MOST_ID: Final = 2**63 - 1


_COMMON: Final[dict[str, Any]] = {
    "required": gettext_lazy("It is missing."),
    "null": gettext_lazy("It may not be null."),
}
_TEXT: Final[dict[str, Any]] = _COMMON | {
    "invalid": gettext_lazy("A text is expected."),
    "blank": gettext_lazy("It is empty."),
    "max_length": gettext_lazy("At most {max_length} characters."),
}


class Text(serializers.CharField):
    """One line that people can see."""

    default_error_messages = _TEXT

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(visible_text_validate)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class LongText(serializers.CharField):
    """Any number of lines."""

    default_error_messages = _TEXT

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = super().to_internal_value(unicodedata.normalize("NFC", data).replace("\r\n", "\n"))
        if invisible_in(text.replace("\n", "").replace("\t", "")):
            raise serializers.ValidationError(
                _("It contains characters that cannot be seen. Type it anew instead of pasting it.")
            )
        return text


class Number(serializers.IntegerField):
    default_error_messages = _COMMON | {
        "invalid": gettext_lazy("A whole number is expected."),
        "min_value": gettext_lazy("At least {min_value}."),
        "max_value": gettext_lazy("At most {max_value}."),
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Flag(serializers.BooleanField):
    default_error_messages = _COMMON | {"invalid": gettext_lazy("true or false is expected.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Choice(serializers.ChoiceField):
    """A word of a list; the answer does not repeat what came instead."""

    default_error_messages = _COMMON | {
        "invalid_choice": gettext_lazy("Choose one of: {choices_told}.")
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", choices_told=", ".join(map(str, self.choices)))
        return data


class Items(serializers.ListField):
    default_error_messages = _COMMON | {
        "not_a_list": gettext_lazy("A list is expected."),
        "max_length": gettext_lazy("At most {max_length} of them."),
    }


class Values(serializers.DictField):
    """Anything by name."""

    default_error_messages = _COMMON | {"not_a_dict": gettext_lazy("An object is expected.")}


@extend_schema_field(
    {
        "oneOf": [
            {"type": "integer", "minimum": 1},
            {
                "type": "object",
                "properties": {"id": {"type": "integer", "minimum": 1}},
                "required": ["id"],
            },
        ],
        "description": "An id, or the object as it was read.",
    }
)
class Reference(serializers.Field[Any, Any, Any, Any]):
    """Another row: its id, or `{"id": …}` as it was read.

    `rows` is called with the serializer's context and gives those that this person may name; a
    foreign id gets the words of a missing one. Rows are remembered in the context's `seen`.
    """

    default_error_messages = _COMMON | {
        "not_an_id": gettext_lazy("An id is expected, a whole number."),
        "missing": gettext_lazy("Nothing has this id."),
    }

    def __init__(self, rows: Callable[[Mapping[str, Any]], QuerySet[Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows

    def to_internal_value(self, data: Any) -> Model:
        pk = data.get("id") if isinstance(data, Mapping) else data
        if isinstance(pk, bool) or not isinstance(pk, int):
            self.fail("not_an_id")
        if not 0 < pk <= MOST_ID:
            self.fail("missing")
        seen = self.context.get("seen", {})
        place = (self.rows, pk, getattr(self.context.get("row"), "pk", None))
        if place not in seen:
            seen[place] = self.rows(self.context).filter(pk=pk).first()
        row: Model | None = seen[place]
        if row is None:
            self.fail("missing")
        return row

    def to_representation(self, value: Any) -> NoReturn:
        raise NotImplementedError("bodies are read, not written")


class Body(serializers.Serializer[Any]):
    """A body that is read. A field nobody knows is an error: it may be a typing mistake.

    `told` names what the answer carries beside, so that what was read can be sent back.
    """

    told: frozenset[str] = frozenset()
    default_error_messages = _COMMON | {"invalid": gettext_lazy("An object is expected.")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        errors: dict[str, Any] = {}
        if isinstance(data, Mapping):
            known = set(self.fields) | self.told
            for name in sorted(set(data) - known)[:20]:
                errors[name[:60]] = [_("There is no such field.")]
        try:
            value: dict[str, Any] = super().to_internal_value(data)
        except serializers.ValidationError as error:
            found = error.detail
            raise serializers.ValidationError(
                {**errors, **found} if isinstance(found, dict) else found
            ) from None
        if errors:
            raise serializers.ValidationError(errors)
        return value


class Named(serializers.Serializer[Any]):
    """Another row as answers tell it."""

    id = serializers.IntegerField()
    name = serializers.CharField()


def django_validator(call: Callable[[str], str], text: str) -> str:
    """Call a cleaner of forms; its complaint becomes one of serializers."""
    try:
        return call(text)
    except ValidationError as error:
        raise serializers.ValidationError(error.messages) from None
