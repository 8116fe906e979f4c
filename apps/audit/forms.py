"""Forms of things that more than one person changes: nobody saves over what they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar, cast

from django import forms
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, models
from django.utils.translation import gettext as _

from apps.audit.history import Saved, saved_last
from apps.audit.words import Change, Told, Words, changes_told
from apps.core.stale import StaleObject

LARGEST: Final = 2**31 - 1

StoredT = TypeVar("StoredT")


@dataclass(frozen=True, slots=True)
class StaleNotice:
    """Somebody saved it meanwhile: what differs between their text and what was typed here."""

    saved: Saved | None
    changes: list[Change]
    """`before` is what is stored now, `after` what was typed."""


def errors_put(form: forms.BaseForm, error: ValidationError) -> None:
    """Show each problem at the field of its name, and above the form what has no field there."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, found in error.error_dict.items():
        form.add_error(name if name in form.fields else None, cast(Any, found))


class VersionedForm(forms.Form):
    """Carries the version of the row that was read; what a service refuses becomes sentences."""

    saved_by: ClassVar[str] = ""
    """The start of the audit actions that save such an object."""

    version = forms.IntegerField(
        widget=forms.HiddenInput, required=False, min_value=1, max_value=LARGEST
    )

    def __init__(
        self, data: Any = None, *, row: Any = None, initial: dict[str, Any] | None = None
    ) -> None:
        known = {} if row is None else {"version": row.version}
        super().__init__(data, initial=known | (initial or {}))
        self.row = row
        self.stale: StaleNotice | None = None
        self.is_gone = False

    @property
    def expected_version(self) -> int | None:
        version: int | None = self.cleaned_data.get("version")
        return version

    @property
    def status(self) -> int:
        """The code with which this form is shown."""
        if self.stale is not None:
            return 409
        return 422 if self.is_bound else 200

    def words(self) -> Words:
        """Name the facts of the difference."""
        return Words({})

    def told_now(self, current: Any) -> Told:
        """Return the facts of what is stored now."""
        return {}

    def attempt(self, call: Callable[[], StoredT], yours: Told | None = None) -> StoredT | None:
        """Call a service; when it refuses, None, and the reasons are in the form.

        `yours` are the facts that were typed, for the difference with what somebody else saved.
        Two people who typed the same have nothing to decide: what is stored is returned.
        """
        try:
            return call()
        except StaleObject as error:
            return cast("StoredT | None", self._became_stale(error.current, yours))
        except ObjectDoesNotExist:
            self.is_gone = True
        except ValidationError as error:
            errors_put(self, error)
        except IntegrityError:
            self.add_error(
                None, _("Somebody stored the same name or address at this moment. Look again.")
            )
        return None

    def does(self, call: Callable[[], object]) -> bool:
        """Call a service that returns nothing; False, and the reasons, when it refuses."""
        self.attempt(call)
        return not (self.stale or self.is_gone or self.errors)

    def _became_stale(self, current: models.Model, yours: Told | None) -> models.Model | None:
        changes = changes_told(self.told_now(current), yours or {}, self.words())
        if yours is not None and not changes:
            return current
        self.stale = StaleNotice(saved_last(current, self.saved_by), changes)
        # What was typed stays; the next press saves it over what is stored now.
        data = cast(Any, self.data).copy()
        data["version"] = str(getattr(current, "version"))  # noqa: B009  any versioned model
        self.data = data
        return None


def typed_text(form: forms.BaseForm) -> list[tuple[str, str]]:
    """Return what was typed, to copy it from a page whose object is gone. No passwords."""
    found = []
    for field in form:
        widget = field.field.widget
        if field.is_hidden or isinstance(widget, forms.PasswordInput):
            continue
        text = _text_of(field)
        if text:
            found.append((str(field.label), text))
    return found


def _text_of(field: forms.BoundField) -> str:
    data = field.data
    if isinstance(data, bool):
        return _("Yes") if data else ""
    picked = [str(one) for one in (data if isinstance(data, list) else [data]) if one]
    choices = getattr(field.field, "choices", None)
    if choices is None:
        return "\n".join(picked)
    names: dict[str, str] = {}
    for value, label in choices:
        for inner, name in label if isinstance(label, (list, tuple)) else [(value, label)]:
            names[str(inner)] = str(name)
    return ", ".join(names.get(value, value) for value in picked)
