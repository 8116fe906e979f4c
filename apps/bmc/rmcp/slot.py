"""Everything the pool knows about one BMC: its session, its queue, its memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from apps.bmc.guard import Breaker, EndpointKey, LoginBudget
from apps.bmc.rmcp.session import Session
from apps.bmc.rmcp.states import SessionState
from apps.bmc.rmcp.turnstile import Rank, Turnstile
from apps.bmc.values import CipherSuite, Credential

Identity = tuple[object, ...]


def identity_of(credential: Credential) -> Identity:
    """What makes two credentials the same account with the same rights."""
    return (credential.username, credential.password, credential.privilege, credential.kg)


class Slot:
    """One per BMC and process. Owns at most one session, and at most one place."""

    __slots__ = (
        "_holds_place", "_leaving", "_loop", "_on_end", "_places", "_proven", "_spent", "_talking",
        "_was_open", "_worked", "_worked_until", "breaker", "budget", "ended_waiter", "gate",
        "identity", "key", "session",
    )  # fmt: skip

    def __init__(
        self,
        key: EndpointKey,
        gate: Turnstile,
        places: Turnstile,
        breaker: Breaker,
        budget: LoginBudget,
        on_end: Callable[[Slot, Session], None],
    ) -> None:
        self.key = key
        self.gate = gate
        self.breaker = breaker
        self.budget = budget
        self.session: Session | None = None
        self.identity: Identity = ()
        self.ended_waiter: asyncio.Future[None] | None = None
        self._places = places
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._holds_place = self._leaving = self._talking = False
        self._spent = self._was_open = False
        self._proven = False
        self._worked: CipherSuite | None = None
        self._worked_until = 0.0

    @property
    def is_used(self) -> bool:
        return self.gate.in_use > 0

    def is_forgettable(self, now: float) -> bool:
        """Nothing is lost but a cipher suite when this is thrown away."""
        busy = self.session is not None or self.is_used or self.breaker.is_suspect
        return not busy and self.budget.is_free(now)

    # ------------------------------------------------------------ suites (B6)

    def suites(self, offered: tuple[CipherSuite, ...]) -> list[CipherSuite]:
        """What to propose, in order: what worked goes first and saves a round trip.

        A BMC that proved suite 17 in this process is never asked for less: a refusal is then an
        error to show, not a reason to downgrade.
        """
        if self._proven and CipherSuite.SHA256 in offered:
            return [CipherSuite.SHA256]
        wanted = sorted(set(offered), reverse=True)
        if self._worked in wanted and monotonic() < self._worked_until:
            wanted.sort(key=lambda suite: suite is not self._worked)
        return wanted

    def logged_in(self, suite: CipherSuite, memory_seconds: float) -> None:
        self._was_open = True
        self._proven = self._proven or suite is CipherSuite.SHA256
        self._worked = suite
        # Not for ever: a firmware update may bring the better suite.
        self._worked_until = monotonic() + memory_seconds

    # ------------------------------------------------------------ places

    async def begin(self, rank: Rank, seconds: float) -> None:
        """A conversation begins. :raises BmcOverloaded: no place in time."""
        if not self._holds_place:
            if not self._places.try_enter():
                await self._places.enter(rank, seconds)
            self._holds_place = True
        self._talking = True

    def finish(self) -> None:
        """The conversation ended; the place stays for this turn of the loop.

        Login and first command, and one command after another, so go without queueing between.
        """
        self._talking = False
        if self._holds_place and not self._leaving:
            self._leaving = True
            self._loop.call_soon(self._leave)

    def _leave(self) -> None:
        self._leaving = False
        if self._holds_place and not self._talking:
            self._holds_place = False
            self._places.leave()

    # ------------------------------------------------------------ what the session tells

    def start_login(self, session: Session) -> None:
        self.session = session
        self._spent = self._was_open = False

    def went_silent(self) -> None:
        if self._talking and self._holds_place:
            self._holds_place = False
            self._places.leave()

    def was_resent(self) -> bool:
        if not self._talking or self._holds_place or not self._places.try_enter():
            return False
        self._holds_place = True
        return True

    def answered_again(self) -> None:
        if self._talking and not self._holds_place:
            self._places.force()
            self._holds_place = True

    def sends_rakp3(self) -> None:
        if not self._spent:  # a restarted handshake is the same login
            self._spent = True
            self.budget.spend(monotonic())

    def ended(self, session: Session) -> None:
        if self._was_open and session.state is SessionState.FAILED:
            self.budget.session_lost()
        self._was_open = False
        self.session = None
        if self.ended_waiter is not None and not self.ended_waiter.done():
            self.ended_waiter.set_result(None)
        self._on_end(self, session)
