"""What a row of the privilege table is: one for each path and method, a column for each person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

CAST: Final = ("admin", "operator", "user", "readonly", "outsider", "nobody")
"""The columns. The outsider is operator of another cluster; nobody is not signed in. Who was
disabled is answered as nobody is, so there is no column for them: every row is asked by them, too.
"""


OPEN: Final = ("language/",)
"""Sends nobody on, and to no sign-in page."""


class Answers(NamedTuple):
    """One status for each of the cast. 302 for nobody means: sent to the sign-in page."""

    admin: int
    operator: int
    user: int
    readonly: int
    outsider: int
    nobody: int


@dataclass(frozen=True, slots=True)
class Row:
    method: str
    path: str
    """Without the first slash; names in braces are ids of the world, see `world.py`."""
    answers: Answers
    body: Any = None
    """What is sent; a name means a body of the world."""
    note: str = ""
    """For the reader of docs/privileges.md."""

    @property
    def is_to_the_door(self) -> bool:
        """Whoever is not signed in is sent to the sign-in page."""
        return self.answers.nobody == 302 and self.path not in OPEN


@dataclass(frozen=True, slots=True)
class Area:
    """Rows that stand under one heading."""

    title: str
    rows: tuple[Row, ...]
    told: str = ""
    is_api: bool = False
    """Asked with every kind of credential, and nothing in it is sent to a sign-in page."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A path of the socket router, and who gets what changes at a server of "web"."""

    path: str
    told: str
    answers: tuple[str, str, str, str, str, str]
    """In words, for each of the cast."""


def rows(*told: tuple[Any, ...], prefix: str = "") -> tuple[Row, ...]:
    """Return rows written as `(method, path, body, (…six answers…))`, perhaps with a note."""
    return tuple(
        Row(method, prefix + path, Answers(*answers), body, *note)
        for method, path, body, answers, *note in told
    )


def area(title: str, told: str, *lines: tuple[Any, ...], prefix: str = "") -> Area:
    return Area(title, rows(*lines, prefix=prefix), told)
