"""What a row of the privilege table is: one for each path and method, a column for each person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

CAST: Final = ("admin", "operator", "user", "readonly", "outsider", "nobody")
"""The columns. The outsider is operator of another cluster; nobody is not signed in. Who was
disabled is answered as nobody is, so there is no column for them: every row is asked by them, too.
"""


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
    """A path of the socket router and what happens to a server of "web" that is asked for."""

    path: str
    told: str
    follows: Answers = field(default=Answers(1, 1, 1, 1, 0, 0))
    """1: frames of the server come; 0: none do. Nobody's socket is closed."""


def rows(*told: tuple[Any, ...], prefix: str = "") -> tuple[Row, ...]:
    """Return rows written as `(method, path, body, (…six answers…))`, perhaps with a note."""
    return tuple(
        Row(method, prefix + path, Answers(*answers), body, *note)
        for method, path, body, answers, *note in told
    )


def area(title: str, told: str, *lines: tuple[Any, ...], prefix: str = "") -> Area:
    return Area(title, rows(*lines, prefix=prefix), told)
