"""Plan guards: an upper floor keeps servers from a kind of job, with a reason.

They sign in at `AppConfig.ready`. The engine asks three times: when a job is made, when a worker
takes a target, and inside the statement that records `sent`. So what a guard says between the order
and the command counts too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.inventory.models import Server


@dataclass(frozen=True, slots=True)
class Veto:
    """Why a server is kept from a job: a result code of its targets, with the words' parameters."""

    code: str
    params: dict[str, str | int | float] = field(default_factory=dict)


class Vetoed(Exception):
    """No job was made: a guard keeps this server from it."""

    def __init__(self, server: Server, veto: Veto) -> None:
        super().__init__(veto.code)
        self.server = server
        self.veto = veto


class PlanGuard(ABC):
    code: ClassVar[str]
    kinds: ClassVar[frozenset[str]]

    @abstractmethod
    def servers(self) -> QuerySet[Server]:
        """Return the servers that are kept from it now. Part of other statements: no joins that
        multiply rows."""

    @abstractmethod
    def veto(self, server: Server) -> Veto:
        """Say why, for one of those servers."""


_guards: dict[str, PlanGuard] = {}


def guard_register(guard: PlanGuard) -> None:
    """Sign in; the same code again replaces the guard."""
    _guards[guard.code] = guard


def guards_of(kind: str) -> list[PlanGuard]:
    return [guard for guard in _guards.values() if kind in guard.kinds]


def vetoes(kind: str, server_ids: Iterable[int]) -> dict[int, Veto]:
    """Return those of these servers that are kept from this kind of job; a query per guard."""
    ids = set(server_ids)
    found: dict[int, Veto] = {}
    for guard in guards_of(kind):
        for server in guard.servers().filter(pk__in=ids):
            found.setdefault(server.pk, guard.veto(server))
    return found


def vetoed_target(kind: str) -> Q:
    """Return the condition on `JobTarget` that some guard holds against it, for any statement."""
    condition = Q(pk__in=[])
    for guard in guards_of(kind):
        condition |= Q(Exists(guard.servers().filter(pk=OuterRef("server_id"))))
    return condition
