"""Fields that several forms have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import ModelChoiceIterator
from django.utils.translation import gettext_lazy

from apps.audit.forms import VersionedForm
from apps.core.text import visible_lines_validate, visible_text_validate
from apps.inventory.models import Rack
from apps.inventory.services.facts import MOST_TAGS, NOTES_LENGTH, TAG_LENGTH, tag_problems

NAME_LENGTH: Final = 64


class RemoveForm(VersionedForm):
    """Nothing but the version that the question was asked for."""

    saved_by = "inventory."


def name_field() -> forms.CharField:
    return line_field(gettext_lazy("Name"), required=True)


def line_field(
    label: Any,
    *,
    required: bool = False,
    most: int = NAME_LENGTH,
    is_mono: bool = False,
    **more: Any,
) -> forms.CharField:
    """One line of text in which everything can be seen."""
    attrs = {"autocomplete": "off", "spellcheck": "false"} | ({"class": "mono"} if is_mono else {})
    return forms.CharField(
        label=label,
        required=required,
        max_length=most,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs=attrs),
        **more,
    )


class LinesField(forms.CharField):
    """Several lines of text; line ends are stored in one form."""

    def __init__(self, **options: Any) -> None:
        rows = options.pop("rows", 3)
        defaults: dict[str, Any] = {
            "required": False,
            "max_length": NOTES_LENGTH,
            "validators": [visible_lines_validate],
            "widget": forms.Textarea(attrs={"rows": rows}),
        }
        super().__init__(**defaults | options)

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")


class WordsField(forms.CharField):
    """Words separated by commas; each counts once, in the order of the alphabet or as typed."""

    def __init__(self, *, is_sorted: bool = False, **options: Any) -> None:
        super().__init__(**{"required": False} | options)
        self.is_sorted = is_sorted

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value))
        words = dict.fromkeys(filter(None, (word.strip() for word in text.split(","))))
        return tuple(sorted(words) if self.is_sorted else words)


class TagsField(WordsField):
    """Tags as one line of text, with the known ones offered (`list="tag-names"`)."""

    def __init__(self, **options: Any) -> None:
        attrs = {
            "list": "tag-names",
            "data-words": "",
            "autocomplete": "off",
            "spellcheck": "false",
        }
        super().__init__(
            is_sorted=True,
            max_length=MOST_TAGS * (TAG_LENGTH + 2),
            widget=forms.TextInput(attrs=attrs),
            **options,
        )

    def clean(self, value: Any) -> Any:
        tags = super().clean(value)
        if problems := tag_problems(tags):
            raise ValidationError(str(problems["tags"]), code="tags")
        return tags


class _BySite(ModelChoiceIterator):  # type: ignore[type-arg]  # not generic at run time
    """Racks below the names of their sites."""

    def __iter__(self) -> Iterator[Any]:
        if self.field.empty_label is not None:
            yield ("", self.field.empty_label)
        rows = self.queryset.select_related("site").order_by("site__name", "name")
        for site, racks in groupby(rows, key=lambda rack: rack.site.name):
            yield (site, [self.choice(rack) for rack in racks])


class RackField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    """A rack, chosen from those of every site this person sees."""

    iterator = _BySite

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "queryset": Rack.objects.none(),
            "label": gettext_lazy("Rack"),
            "required": False,
            "empty_label": gettext_lazy("No rack"),
        }
        super().__init__(**defaults | options)


def field_model(form: forms.Form, name: str) -> forms.ModelChoiceField[Any]:
    """Return a field of the form that offers rows."""
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  narrows the type
    return field
