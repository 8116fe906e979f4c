"""What a kind of job must know. Upper floors register one handler per kind in `AppConfig.ready`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from apps.accounts.models import User
from apps.bmc import BmcSession, PowerState, Receipt
from apps.inventory.choices import Transition
from apps.inventory.models import Server
from apps.jobs.choices import TargetState

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a BMC: its power, and what else may serve as evidence (plain values)."""

    power: PowerState
    marks: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Go:
    """The command is needed."""


@dataclass(frozen=True, slots=True)
class End:
    """The target is done: a final state and a result code."""

    state: TargetState
    code: str = ""
    params: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Again:
    """Not yet: read again in so many seconds. `marks` are added to the evidence."""

    seconds: float
    is_wanted: bool = False
    marks: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """What is known when a verifying read was made. Times were compared in the database."""

    params: Params
    evidence: Params
    """Marks of the precheck, and those that `Again` added."""
    was_answered: bool
    """The BMC answered 00."""
    was_wanted: bool
    """An earlier read, at least 5 s before this one, already showed the wanted state."""
    is_overdue: bool
    sent_seconds: float
    """Since `sent`, roughly; for the pace of reading only."""
    reading: Reading | None
    """None: it could not be read."""


class Handler(ABC):
    """One kind of job. `read` and `send` talk to the BMC, `is_allowed` asks the database, the rest
    is pure."""

    kind: ClassVar[str]
    is_harmless: ClassVar[bool] = False
    """It leaves the power alone: it does not put in doubt what an earlier command did."""

    @abstractmethod
    def check_params(self, params: Params) -> None:
        """:raises ValueError: these parameters make no job."""

    @abstractmethod
    def command(self, params: Params) -> str:
        """Name the command for the record."""

    @abstractmethod
    def transition(self, params: Params) -> Transition:
        """Say what the command does to the server while it is open."""

    @abstractmethod
    def may_repeat(self, params: Params) -> bool:
        """May it be sent again after the BMC said busy and a fresh read shows it is needed?"""

    @abstractmethod
    def verify_seconds(self, params: Params) -> float:
        """How long the effect may take before the target ends without it."""

    @abstractmethod
    async def read(self, bmc: BmcSession) -> Reading:
        """Read the state: for the precheck, and for every verification."""

    @abstractmethod
    def precheck(self, params: Params, reading: Reading) -> Go | End:
        """Decide whether the command is needed and possible."""

    @abstractmethod
    async def send(self, bmc: BmcSession, params: Params, *, not_after: float) -> Receipt:
        """Send one datagram, once, not later than this `time.monotonic()`."""

    @abstractmethod
    def answered(self, params: Params) -> Again | End:
        """The BMC answered 00: when to read first, or the end if nothing can be read."""

    @abstractmethod
    def judge(self, case: Case) -> Again | End:
        """Decide after a verifying read."""

    def follow_up(self, params: Params, end: End) -> dict[str, Any] | None:
        """Return the order of the same kind that this end leads to, if it was chosen before."""
        return None

    def is_allowed(self, actor: User, server: Server, params: Params) -> bool:
        """Tell whether this person may order that now; asked in a follow-up's transaction."""
        return False


_handlers: dict[str, Handler] = {}


def handler_register(handler: Handler) -> None:
    _handlers[handler.kind] = handler


def kinds_harmless() -> list[str]:
    return sorted(kind for kind, handler in _handlers.items() if handler.is_harmless)


def handler_of(kind: str) -> Handler:
    """:raises KeyError: nobody registered this kind."""
    return _handlers[kind]
