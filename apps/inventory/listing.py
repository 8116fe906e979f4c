"""One list of servers, as a person asked for it in a URL: what was understood, what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import BooleanField, Case, Count, Q, When
from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.clusters.selectors import Reach, reach_of
from apps.core.faults import fault_of
from apps.core.nodesets import NodeExpression, looks_like_nodeset, names_fold
from apps.inventory.choices import Power
from apps.inventory.filtersets import EVERY_SERVER, ServerFilterSet, step_condition
from apps.inventory.models import Server, ServerQuerySet

FILTERS: Final = tuple(name for name in ServerFilterSet.base_filters if name not in ("q", "nodes"))
"""The filters beside the query box."""
FACETS: Final = ("power", "fault", "protected")
"""Filters whose values are counted: each for all that match the other filters."""
AS_TEXT: Final = "text"
VALUE_LENGTH: Final = 40
MOST_BLAMED: Final = 20


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A word of the URL that means nothing here."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter in force; `without` is the list without it."""

    label: str
    value: str
    without: QueryDict

    def __str__(self) -> str:
        return f"{self.label}: {self.value}"


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """How many servers a person sees, and how many match. Each facet counts what matches the
    other filters, so that its links tell what they lead to."""

    total: int
    matching: int
    by_power: dict[str, int]
    by_fault: list[tuple[str, int]]
    protected: int
    named: int
    """How many of the node set's names a visible server has."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Why nothing matches: a sentence, and the part without which something does."""

    sentence: str
    chip: Chip | None = None
    count: int = 0


@dataclass(slots=True)
class _Asker:
    """Stands for the request where there is none: only who asks matters to the filters."""

    user: User | AnonymousUser
    reach: Reach


@dataclass(frozen=True, slots=True)
class Listing:
    """`params` is the URL in one form: equal lists have equal params, and junk is gone."""

    reach: Reach
    filters: ServerFilterSet
    text: str
    params: QueryDict
    left_out: list[LeftOut] = field(default_factory=list)
    nodes_error: str = ""

    @property
    def is_broken(self) -> bool:
        """A node set that cannot be read matches nothing: the rows would be of another list."""
        return bool(self.nodes_error)

    @property
    def is_exact(self) -> bool:
        """Every word was understood: what matches is neither more nor less than what was asked."""
        return not self.left_out and not self.is_broken

    @property
    def nodes(self) -> NodeExpression | None:
        expression: NodeExpression | None = self.filters.understood().get("nodes")
        return expression

    @property
    def is_filtered(self) -> bool:
        return bool(self.params) or self.is_broken

    @property
    def visible(self) -> ServerQuerySet:
        return Server.objects.visible_to(self.reach)

    def rows(self) -> ServerQuerySet:
        """Return the visible servers that match."""
        if self.is_broken:
            return Server.objects.none()
        return self.visible.filter(*self.filters.conditions().values())

    def counts(self) -> ServerCounts:
        """Count everything that the page tells, in one query."""
        conditions = {} if self.is_broken else self.filters.conditions()
        hit = _all_of(q for name, q in conditions.items() if name not in FACETS)
        if self.is_broken:
            hit = ~EVERY_SERVER
        names = self.nodes.names if self.nodes else []
        named = Q(name__among=names) if names else ~EVERY_SERVER
        groups = (
            self.visible.order_by()
            .annotate(hit=_flag(hit), named=_flag(named))
            .values_list("hit", "named", "status__power", "is_protected", "status__fault")
            .annotate(n=Count("pk"))
        )
        return _counts_of(list(groups), self.filters.understood())

    def chips(self) -> Iterator[Chip]:
        """Give every filter in force beside the query box, one for each value."""
        for name in FILTERS:
            for value in self.params.getlist(name):
                without = self.params.copy()
                rest = [other for other in without.getlist(name) if other != value]
                without.setlist(name, rest) if rest else without.pop(name)
                label = str(self.filters.filters[name].label)
                yield Chip(label, self._value_words(name, value), without)

    def names_missing(self, counts: ServerCounts) -> tuple[int, str]:
        """Return how many names of the node set no visible server has, and them as a set."""
        names = self.nodes.names if self.nodes else []
        if counts.named == len(names):
            return 0, ""
        there = set(
            self.visible.filter(name__among=names).order_by().values_list("name", flat=True)
        )
        missing = [name for name in names if name not in there]
        return len(missing), names_fold(missing)

    def blame(self) -> Blame:
        """Say which part of the query leaves nothing, with one query."""
        expression = self.nodes
        steps = expression.steps[:MOST_BLAMED] if expression else ()
        prefixes = list(expression.conditions(step_condition))[: len(steps)] if expression else []
        conditions = self.filters.conditions()
        parts = [part for part in self._parts() if part[0] in conditions]
        others = [_all_of(q for n, q in conditions.items() if n != name) for name, _chip in parts]
        others = [_all_of(q for n, q in conditions.items() if n != name) for name, _chip in parts]
        found = self.visible.aggregate(
            **{f"step_{i}": Count("pk", filter=q) for i, q in enumerate(prefixes)},
            **{f"part_{i}": Count("pk", filter=q) for i, q in enumerate(others)},
        )
        after = [found[f"step_{i}"] for i in range(len(prefixes))]
        if expression and 0 in after and len(expression.steps) <= MOST_BLAMED:
            return _steps_blame(expression, after)
        if len(parts) < 2:
            return Blame("")
        count, _index, chip = max(
            (found[f"part_{i}"], -i, chip) for i, (_name, chip) in enumerate(parts)
        )
        if not count:
            return Blame(_("Each part of it matches nothing together with the others."))
        return Blame(_("Without “%(part)s” there are some.") % {"part": chip}, chip, count)

    def _parts(self) -> list[tuple[str, Chip]]:
        parts = []
        if self.text:
            without = self.params.copy()
            without.pop("q", None), without.pop("as", None)
            kind = _("Node set") if self.nodes else _("Search")
            parts.append(("nodes" if self.nodes else "q", Chip(kind, self.text, without)))
        for name in FILTERS:
            chips = [self._value_words(name, value) for value in self.params.getlist(name)]
            if chips:
                without = self.params.copy()
                without.pop(name)
                label = str(self.filters.filters[name].label)
                parts.append((name, Chip(label, ", ".join(chips), without)))
        return parts

    def _value_words(self, name: str, value: str) -> str:
        if name == "power":
            return str(Power(value).label)
        if name in ("cluster", "site", "rack"):
            if value == "null":
                return str(self.filters.filters[name].extra["null_label"])
            named: dict[int, str] = self.filters.form.named[name]
            return named.get(int(value), value)
        if name == "fault":
            return fault_words(value)
        if name == "protected":
            return _("yes") if value == "true" else _("no")
        return value


def fault_words(code: str) -> str:
    """Return a fault filter in words: "BMC does not answer"."""
    if code in ("any", "none"):
        return _("any") if code == "any" else _("none")
    return fault_of(code).title.rstrip(".")


def listing_of(user: User | AnonymousUser, asked: QueryDict, reach: Reach | None = None) -> Listing:
    """Read a URL's query. What means nothing is told in `left_out`, never an error.

    `reach` is the person's, where it was read for the same request already.
    """
    reach = reach or reach_of(user)
    text = (asked.get("q") or asked.get("nodes") or "").strip()
    is_nodes = looks_like_nodeset(text) and asked.get("as") != AS_TEXT
    is_nodes = is_nodes or bool(asked.get("nodes") and not asked.get("q"))
    data = QueryDict(mutable=True)
    if text:
        data["nodes" if is_nodes else "q"] = text
    for name in FILTERS:
        if values := [value for value in asked.getlist(name) if value.strip()]:
            data.setlist(name, values)
    visible = Server.objects.visible_to(reach)
    filters = ServerFilterSet(data, visible, request=_Asker(user, reach))
    understood, errors = filters.understood(), filters.errors
    left_out = [
        LeftOut(str(filters.filters[name].label), ", ".join(data.getlist(name))[:VALUE_LENGTH])
        for name in data
        if name != "nodes" and name not in understood
    ]
    return Listing(
        reach=reach,
        filters=filters,
        text=text if text and ("q" in understood or is_nodes) else "",
        params=_params(text, is_nodes, filters, understood),
        left_out=left_out,
        nodes_error=" ".join(errors.get("nodes", [])),
    )


def _params(
    text: str, is_nodes: bool, filters: ServerFilterSet, understood: dict[str, Any]
) -> QueryDict:
    params = QueryDict(mutable=True)
    if text and ("q" in understood or is_nodes):
        params["q"] = text
        if is_nodes != looks_like_nodeset(text):
            # Only so does the same text mean the same again.
            del params["q"]
            params.update({"nodes": text} if is_nodes else {"q": text, "as": AS_TEXT})
    for name in FILTERS:
        value = understood.get(name)
        if value is None:
            continue
        if isinstance(value, list):
            params.setlist(name, sorted(map(str, value)))
        else:
            params[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return params


def _flag(condition: Q) -> Case:
    """Return a condition as a value, true or false and never unknown."""
    return Case(When(condition, then=True), default=False, output_field=BooleanField())


def _all_of(conditions: Iterable[Q]) -> Q:
    return reduce(and_, conditions, EVERY_SERVER)


def _counts_of(groups: list[tuple[Any, ...]], asked: dict[str, Any]) -> ServerCounts:
    by_power: Counter[str] = Counter()
    by_fault: Counter[str] = Counter()
    total = matching = protected = named = 0
    for hit, is_named, power, is_protected, fault, count in groups:
        total += count
        named += count if is_named else 0
        if not hit:
            continue
        fits = {
            "power": "power" not in asked or power in asked["power"],
            "fault": "fault" not in asked or _is_fault(fault, asked["fault"]),
            "protected": "protected" not in asked or is_protected == asked["protected"],
        }
        matching += count if all(fits.values()) else 0
        by_power[power] += count if fits["fault"] and fits["protected"] else 0
        by_fault[fault] += count if fits["power"] and fits["protected"] else 0
        protected += count if is_protected and fits["power"] and fits["fault"] else 0
    faults = [(code, count) for code, count in by_fault.most_common() if code and count]
    powers = {power: by_power[power] for power in Power.values}
    return ServerCounts(total, matching, powers, faults, protected, named)


def _is_fault(fault: str, asked: str) -> bool:
    if asked == "any":
        return bool(fault)
    return fault == ("" if asked == "none" else asked)


def _steps_blame(expression: NodeExpression, after: list[int]) -> Blame:
    """Name the first part of a node set after which nothing is left."""
    at = after.index(0)
    step = expression.steps[at]
    if at == 0 or not any(after):
        return Blame(_("No server that you see is in “%(part)s”.") % {"part": step.text})
    before, count = expression.steps[at - 1], after[at - 1]
    words = {"sign": step.operator.value, "part": step.text, "before": before.text, "n": count}
    return Blame(
        _("Up to “%(before)s” there are %(n)d; “%(sign)s %(part)s” leaves none of them.") % words
    )
