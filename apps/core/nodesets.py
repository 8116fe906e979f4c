"""Sets of names as ClusterShell writes them: `web-[01-40]!web-07,@rack:A01`.

`,` adds, `!` takes away, `&` keeps what is in both, `^` what is in one of them only; from left to
right. `@source:name` is a group, `@*` everything. `*` and `?` stand for any characters and one.

Everything is bounded before it is expanded: a set is typed by people, and pasted by others.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ClusterShell.NodeSet import RESOLVER_NOGROUP
from ClusterShell.NodeSet import NodeSet as _Folded
from ClusterShell.RangeSet import RangeSet, RangeSetParseError
from django.db.models import Q
from django.utils.translation import gettext as _

MOST_CHARACTERS: Final = 1000
MOST_NAMES: Final = 10_000
MOST_STEPS: Final = 40
MOST_EXCLUSIVE: Final = 5
"""A database without XOR writes both sides of each twice."""
MOST_STARS: Final = 2
MOST_GROUPS: Final = 50
"""Names that are compared one by one: groups, and names with `*` or `?`."""
MOST_FOLDED: Final = 200
"""Folding names with several numbers takes a second for some thousands."""

_SIGNS: Final = frozenset("[]!&^,@")
_RANGE: Final = re.compile(
    r"\s*(\d{1,12})\s*(?:-\s*(\d{1,12})\s*(?:/\s*(\d{1,12})\s*)?)?", re.ASCII
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:-]+")


class Operator(StrEnum):
    UNION = ","
    DIFFERENCE = "!"
    INTERSECTION = "&"
    EXCLUSIVE = "^"


class NodeSetError(ValueError):
    """It cannot be read. `place` is the character where, from 1."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a set: what it adds, takes away or keeps. `names` are expanded."""

    operator: Operator
    text: str
    place: int
    names: tuple[str, ...] = ()
    source: str = ""
    """The kind of group, such as "rack"; then `names` are the groups' names."""
    is_all: bool = False
    is_pattern: bool = False
    """`names` hold `*` or `?`."""

    @property
    def is_plain(self) -> bool:
        return not (self.source or self.is_all or self.is_pattern)


@dataclass(frozen=True, slots=True)
class NodeExpression:
    """A set that was understood. `steps` are evaluated from left to right."""

    text: str
    steps: tuple[Step, ...]

    @property
    def names(self) -> list[str]:
        """Return the names that are asked for one by one, without those that are taken away."""
        wanted = [s.names for s in self.steps if s.is_plain and s.operator != Operator.DIFFERENCE]
        return list(dict.fromkeys(itertools.chain.from_iterable(wanted)))

    @property
    def group_count(self) -> int:
        return sum(1 for step in self.steps if not step.is_plain)

    def condition(self, resolve: Callable[[Step], Q]) -> Q:
        """Return the set as one condition; `resolve` gives the condition of one step."""
        return list(self.conditions(resolve))[-1]

    def conditions(self, resolve: Callable[[Step], Q]) -> Iterator[Q]:
        """Give the condition after each step. None that `resolve` gives may be empty."""
        kept = resolve(self.steps[0])
        yield kept
        for step in self.steps[1:]:
            kept = _combine(kept, step.operator, resolve(step))
            yield kept


def looks_like_nodeset(text: str) -> bool:
    """Say whether a text can only be meant as a set, not as words to search for."""
    return not _SIGNS.isdisjoint(text)


def nodeset_parse(text: str, sources: Iterable[str]) -> NodeExpression:
    """Read a set; `sources` are the kinds of groups there are.

    :raises NodeSetError: a sentence that names the place, also when it would be too large.
    """
    if len(text) > MOST_CHARACTERS:
        message = _("A set has at most %(most)d characters; this has %(size)d.")
        raise NodeSetError(message % {"most": MOST_CHARACTERS, "size": len(text)}, MOST_CHARACTERS)
    known = sorted(sources)
    room = MOST_NAMES
    steps: list[Step] = []
    for operator, term, place in _split(text):
        step = _read(operator, term, place, known, room)
        room -= len(step.names)
        _append(steps, step)
    if len(steps) > MOST_STEPS:
        message = _("A set has at most %(most)d parts.") % {"most": MOST_STEPS}
        raise NodeSetError(message, steps[MOST_STEPS].place)
    exclusive = [step for step in steps if step.operator == Operator.EXCLUSIVE]
    if len(exclusive) > MOST_EXCLUSIVE:
        message = _("At most %(most)d times “^”.") % {"most": MOST_EXCLUSIVE}
        raise NodeSetError(message, exclusive[MOST_EXCLUSIVE].place)
    return NodeExpression(text, tuple(steps))


def names_fold(names: Iterable[str]) -> str:
    """Write names as one set, `web-[01-03],db-7`; of very many, the first and "…"."""
    wanted = list(names)
    some = wanted[:MOST_FOLDED]
    plain = [name for name in some if _PLAIN.fullmatch(name)]
    odd = [name for name in some if not _PLAIN.fullmatch(name)]
    folded = _Folded._fromlist1(plain, resolver=RESOLVER_NOGROUP)
    parts = ([str(folded)] if plain else []) + odd
    return ",".join(parts) + (",…" if len(wanted) > len(some) else "")


def pattern_regex(pattern: str) -> str:
    """Return the regular expression, for all databases alike, of a name with `*` and `?`."""
    parts = re.split(r"(\*+|\?)", pattern)
    signs = {"*": ".*", "?": "."}
    return r"\A" + "".join(signs.get(part[:1], re.escape(part)) for part in parts if part) + r"\Z"


def _combine(left: Q, operator: Operator, right: Q) -> Q:
    if operator == Operator.UNION:
        return left | right
    if operator == Operator.INTERSECTION:
        return left & right
    if operator == Operator.EXCLUSIVE:
        return left ^ right
    return left & ~right


def _split(text: str) -> Iterator[tuple[Operator, str, int]]:
    """Cut at the operators outside brackets: (operator, part, where the part begins)."""
    operator, begin, opened = Operator.UNION, 0, None
    for at, character in enumerate(text):
        if character == "[":
            if opened is not None:
                raise NodeSetError(_("Brackets cannot stand in brackets."), at + 1)
            opened = at
        elif character == "]":
            if opened is None:
                raise NodeSetError(_("This “]” closes nothing."), at + 1)
            opened = None
        elif opened is None and character in set(Operator):
            yield _part(text, operator, begin, at)
            operator, begin = Operator(character), at + 1
    if opened is not None:
        raise NodeSetError(_("This “[” is not closed."), opened + 1)
    yield _part(text, operator, begin, len(text))


def _part(text: str, operator: Operator, begin: int, end: int) -> tuple[Operator, str, int]:
    part = text[begin:end].strip()
    if part:
        return operator, part, begin + len(text[begin:end]) - len(text[begin:end].lstrip()) + 1
    if begin == 0 and end == len(text):
        raise NodeSetError(_("A name, a range or a group is expected."), 1)
    if begin == 0:
        sign = text[end]
        message = _("Nothing stands before “%(sign)s”.") % {"sign": sign}
        raise NodeSetError(message, end + 1)
    message = _("Nothing stands after “%(sign)s”.") % {"sign": text[begin - 1]}
    raise NodeSetError(message, begin)


def _read(operator: Operator, term: str, place: int, sources: list[str], room: int) -> Step:
    step = Step(operator, term, place)
    if term == "@*":
        return replace(step, is_all=True)
    pattern, at = term, place
    if term.startswith("@"):
        source, separator, pattern = term[1:].partition(":")
        at = place + len(source) + 2
        if not separator:
            message = _("Say which kind of group: %(example)s.")
            raise NodeSetError(message % {"example": f"@{sources[0]}:{source}"}, place)
        if source not in sources:
            message = _("There are no groups of the kind “%(kind)s”. There are: %(kinds)s.")
            kinds = ", ".join(f"@{name}" for name in sources)
            raise NodeSetError(message % {"kind": source[:40], "kinds": kinds}, place)
        if not pattern.strip():
            raise NodeSetError(_("The name of the group is missing."), at)
        step = replace(step, source=source)
    if "@" in pattern:
        message = _("“@” begins a group; put a comma before it.")
        raise NodeSetError(message, at + pattern.index("@"))
    names = tuple(dict.fromkeys(_expand(pattern, at, room)))
    is_pattern = "*" in pattern or "?" in pattern
    if is_pattern and len(re.findall(r"\*+", pattern)) > MOST_STARS:
        raise NodeSetError(_("At most %(most)d times “*” in a name.") % {"most": MOST_STARS}, at)
    if (is_pattern or step.source) and len(names) > MOST_GROUPS:
        raise NodeSetError(_("At most %(most)d groups at once.") % {"most": MOST_GROUPS}, at)
    return replace(step, names=names, is_pattern=is_pattern)


def _append(steps: list[Step], step: Step) -> None:
    """Names that follow each other are one step: a long list is still one condition."""
    last = steps[-1] if steps else None
    is_alike = last and last.is_plain and step.is_plain and last.operator == step.operator
    if last and is_alike and step.operator in (Operator.UNION, Operator.DIFFERENCE):
        names = tuple(dict.fromkeys(last.names + step.names))
        text = f"{last.text}{step.operator}{step.text}"
        steps[-1] = replace(last, names=names, text=text)
    else:
        steps.append(step)


def _expand(pattern: str, place: int, room: int) -> Iterator[str]:
    """Give the names of a pattern; how many is known before the first is made."""
    pieces: list[list[str]] = []
    count, at = 1, place
    for index, part in enumerate(re.split(r"[\[\]]", pattern)):
        is_range = index % 2 == 1
        values = _range(part, at, room // count) if is_range else [part]
        count *= len(values)
        if count > room:
            raise _too_many(at)
        pieces.append(values)
        at += len(part) + 1
    return ("".join(parts) for parts in itertools.product(*pieces))


def _range(text: str, place: int, room: int) -> list[str]:
    """Expand what stands in one pair of brackets, such as `001-040,7,10-20/2`."""
    size, at = 0, place
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            message = _("A number or a range such as 01-40 is expected in the brackets.")
            raise NodeSetError(message, at)
        low, high, step = (int(digits) if digits else None for digits in found.groups())
        if step == 0 or (high is not None and high < (low or 0)):
            raise NodeSetError(_("This range runs backwards or has no step."), at)
        size += 1 if high is None else (high - (low or 0)) // (step or 1) + 1
        if size > room:
            raise _too_many(at)
        at += len(part) + 1
    try:
        return list(RangeSet(text).striter())
    except RangeSetParseError:
        message = _("Both ends of a range need the same number of digits, like 01-40.")
        raise NodeSetError(message, place) from None


def _too_many(place: int) -> NodeSetError:
    return NodeSetError(_("A set has at most %(most)d names.") % {"most": MOST_NAMES}, place)
