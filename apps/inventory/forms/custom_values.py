"""Form fields for the fields that an organisation adds to its servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from apps.inventory.choices import CustomFieldKind
from apps.inventory.forms.base import line_field
from apps.inventory.models import CustomField
from apps.inventory.services.facts import TEXT_LENGTH

LARGEST: Final = 999_999_999_999_999
YES_NO: Final = [
    ("", gettext_lazy("Not set")),
    ("yes", gettext_lazy("Yes")),
    ("no", gettext_lazy("No")),
]


class NumberValue(forms.FloatField):
    """A number as JSON keeps it: whole ones without a point."""

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        return int(number) if number is not None and number.is_integer() else number


class DateValue(forms.DateField):
    """A date, stored as ISO text."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(widget=widget, input_formats=["%Y-%m-%d"], **options)

    def clean(self, value: Any) -> Any:
        day = super().clean(value)
        return day.isoformat() if day else None


def _yes_no(value: str) -> bool | None:
    return {"yes": True, "no": False}.get(value)


def value_name(definition: CustomField) -> str:
    """Return the name of its form field, which is the name under which services refuse it."""
    return f"custom.{definition.key}"


def value_field(definition: CustomField) -> forms.Field:
    """Return the form field for values of a custom field."""
    kind, label = definition.kind, definition.label
    if kind == CustomFieldKind.NUMBER:
        number = forms.NumberInput(attrs={"step": "any"})
        return NumberValue(
            label=label, required=False, min_value=-LARGEST, max_value=LARGEST, widget=number
        )
    if kind == CustomFieldKind.DATE:
        return DateValue(label=label, required=False)
    if kind == CustomFieldKind.FLAG:
        return forms.TypedChoiceField(
            label=label, required=False, choices=YES_NO, coerce=_yes_no, empty_value=None
        )
    if kind == CustomFieldKind.CHOICE:
        options = [("", gettext_lazy("Not set")), *((one, one) for one in definition.options)]
        return forms.ChoiceField(label=label, required=False, choices=options)
    return line_field(label, most=TEXT_LENGTH)


def value_initial(definition: CustomField, values: dict[str, Any]) -> Any:
    """Return what the form field shows of the stored values."""
    value = values.get(definition.key)
    if definition.kind == CustomFieldKind.FLAG:
        return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""
    return value


def values_of(definitions: Sequence[CustomField], cleaned: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a cleaned form, without those that are empty."""
    found = {one.key: cleaned.get(value_name(one)) for one in definitions}
    return {key: value for key, value in found.items() if value not in (None, "")}
