"""What audit entries say, in words: fields by their labels, values as people write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.apps import apps
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Label: TypeAlias = "str | _StrPromise"
Told = Mapping[str, Any]
"""The plain values of an object, as services tell them to the audit: names and no secrets."""

NOTHING: Final[tuple[Any, ...]] = ("", None, [], {}, ())


def as_it_is(told: Told) -> Told:
    return told


@dataclass(frozen=True, slots=True)
class Words:
    """How the facts of one kind of object are called and written."""

    labels: Mapping[str, Label]
    """In the order in which they are shown."""
    values: Mapping[str, Callable[[Any], Label]] = field(default_factory=dict)
    """For facts that are not written as they are stored."""
    flat: Callable[[Told], Told] = as_it_is
    """Takes apart what has facts of its own inside."""

    def label(self, name: str) -> str:
        return str(self.labels.get(name) or _labels.get(name) or name)

    def value(self, name: str, value: Any) -> str:
        """Return the value as a person reads it; empty for none."""
        if any(value is nothing or value == nothing for nothing in NOTHING) and value is not False:
            return ""
        write = self.values.get(name)
        return str(write(value)) if write else _written(value)


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is not what it was. Empty texts: no value."""

    name: str
    label: str
    before: str
    after: str


def changes_told(before: Told, after: Told, words: Words) -> list[Change]:
    """Return the facts in which both differ, in the order of the labels."""
    old, new = words.flat(before), words.flat(after)
    place = {name: index for index, name in enumerate(words.labels)}
    names = sorted({*old, *new}, key=lambda name: (place.get(name, len(place)), name))
    found = [
        Change(
            name,
            words.label(name),
            words.value(name, old.get(name)),
            words.value(name, new.get(name)),
        )
        for name in names
        if old.get(name) != new.get(name)
    ]
    return [change for change in found if change.before != change.after]


# ---------------------------------------------------------------- what other apps call their doings
_actions: dict[str, Label] = {}
_labels: dict[str, Label] = {}
_kinds: dict[str, Callable[[], Words]] = {}


def words_register(
    *,
    actions: Mapping[str, Label],
    labels: Mapping[str, Label] | None = None,
    kinds: Mapping[str, Callable[[], Words]] | None = None,
) -> None:
    """Name actions ("inventory.server.update", or "*.order" for every kind) and fields.

    `kinds` has the words of what objects say, by the label of their model ("inventory.server").
    """
    _actions.update(actions)
    _labels.update(labels or {})
    _kinds.update(kinds or {})


def words_of(kind: str) -> Words:
    """Return the words for objects of a kind; asked once for a page, they may read the database."""
    return _kinds[kind]() if kind in _kinds else Words({})


def kind_words(kind: str) -> str:
    """Return what such an object is called."""
    try:
        return str(apps.get_model(kind)._meta.verbose_name)
    except (LookupError, ValueError):
        return kind


def actions_known() -> list[tuple[str, str]]:
    """Return every action that has words, and the words, in their order."""
    return sorted(((name, str(words)) for name, words in _actions.items()), key=lambda one: one[1])


def kinds_known() -> list[tuple[str, str]]:
    return sorted(((kind, kind_words(kind)) for kind in _kinds), key=lambda one: one[1])


def action_words(action: str) -> str:
    """Return what was done; an action without words is named as it is stored."""
    anywhere = f"*.{action.rpartition('.')[2]}"
    return str(_actions.get(action) or _actions.get(anywhere) or action)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    return str(value)
