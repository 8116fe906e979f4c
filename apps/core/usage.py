"""What uses an object of a lower floor. Upper floors sign in at `AppConfig.ready`.

Lists show the counts, and nothing is removed while something uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Usage:
    """One kind of thing that uses objects of a model."""

    page: str
    """The label of the used object's model, such as "clusters.site"."""
    name: str
    heading: str | Promise
    """What stands above the column of counts; empty: no column."""
    words: Callable[[int], str]
    """A number in words: "3 servers"."""
    counts: Callable[[Any, Sequence[int]], Mapping[int, int]]
    """Called with a person and the ids: how many that person sees use each. None: all there are."""
    url: Callable[[Any], str] | None = None
    """Where the things that use an object are listed."""
    order: int = 100


@dataclass(frozen=True, slots=True)
class Count:
    """How many things of a kind use one object."""

    usage: Usage
    number: int
    url: str = ""

    @property
    def words(self) -> str:
        return self.usage.words(self.number)


_usages: dict[tuple[str, str], Usage] = {}


def usage_register(usage: Usage) -> None:
    """Sign in; the same name again replaces it."""
    _usages[usage.page, usage.name] = usage


def usages_of(page: str) -> list[Usage]:
    found = [usage for usage in _usages.values() if usage.page == page]
    return sorted(found, key=lambda usage: (usage.order, usage.name))


def columns_of(page: str) -> list[Usage]:
    return [usage for usage in usages_of(page) if usage.heading]


def usage_counts(page: str, user: Any, objs: Sequence[Any]) -> dict[int, list[Count]]:
    """Return the columns' counts of each object; a constant number of queries."""
    ids = [obj.pk for obj in objs]
    found: dict[int, list[Count]] = {pk: [] for pk in ids}
    for usage in columns_of(page):
        numbers = usage.counts(user, ids)
        for obj in objs:
            url = usage.url(obj) if usage.url else ""
            found[obj.pk].append(Count(usage, numbers.get(obj.pk, 0), url))
    return found


def used_by(page: str, obj: Any) -> list[Count]:
    """Return everything that uses an object, whoever may see it."""
    found = []
    for usage in usages_of(page):
        number = usage.counts(None, [obj.pk]).get(obj.pk, 0)
        if number:
            found.append(Count(usage, number, usage.url(obj) if usage.url else ""))
    return found
