"""The lower half of a session: state, one timer, sequence numbers, sealed datagrams out."""

from __future__ import annotations

import asyncio
import errno
from abc import ABC, abstractmethod
from itertools import count
from math import inf
from random import random
from time import monotonic
from typing import Final

from apps.bmc.errors import BmcError, BmcUnreachable
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.crypto import Keys
from apps.bmc.rmcp.parts import Owner, Pending, Timing
from apps.bmc.rmcp.states import LEGAL_MOVES, LOGGING_IN, IllegalMoveError, SessionState
from apps.bmc.rmcp.transport import Target, Transport

_PASSING_ERRNOS: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM})
"""The send queue is full: as good as lost on the way, the next timer tries again."""
_SLACK_SECONDS: Final = 0.002
"""Loops count in clock ticks and may call a timer this much early."""
_numbers = count(1)


class Line(ABC):
    """Moves by the table and wakes up once for whatever is due first.

    One `call_later` per session: a later due time only moves the number, and the old timer sets
    itself anew when it fires. A thousand logins so cost a thousand timers, not eight thousand.
    """

    __slots__ = (
        "_counters", "_deadline", "_handle", "_handle_at", "_keepalive_at", "_keys", "_loop",
        "_owner", "_pending", "_resend_at", "_resend_seconds", "_rq_seq", "_sequence",
        "_silence_at", "_silent", "_target", "_timing", "_transport", "bmc_id", "number", "state",
    )  # fmt: skip

    def __init__(
        self,
        transport: Transport,
        target: Target,
        owner: Owner,
        timing: Timing,
        counters: Counters,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._target = target
        self._owner = owner
        self._timing = timing
        self._counters = counters
        self.number = next(_numbers)
        self.state = SessionState.CLOSED
        self.bmc_id = 0
        self._keys: Keys | None = None
        self._sequence = 0
        self._rq_seq = 0
        self._pending: Pending | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._handle_at = inf
        self._deadline = self._resend_at = self._silence_at = self._keepalive_at = inf
        self._resend_seconds = inf
        self._silent = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._target[0]} {self.state.value}>"

    # ------------------------------------------------------------ what the upper half defines

    @abstractmethod
    def _overdue(self) -> None:
        """The deadline passed."""

    @abstractmethod
    def _again(self, now: float) -> None:
        """The re-send time passed."""

    @abstractmethod
    def _keep_alive(self) -> None:
        """The session was idle for long."""

    @abstractmethod
    def _end(self, state: SessionState, error: BmcError) -> None:
        """Leave for good."""

    # ------------------------------------------------------------ state

    def _move(self, state: SessionState) -> None:
        if state not in LEGAL_MOVES[self.state]:
            raise IllegalMoveError(f"{self.state.value} to {state.value}")
        self._counters.sessions_open += (state is SessionState.OPEN) - (
            self.state is SessionState.OPEN
        )
        self.state = state

    # ------------------------------------------------------------ time

    def _arm(self, now: float) -> None:
        due = min(self._deadline, self._resend_at, self._silence_at, self._keepalive_at)
        if due >= self._handle_at:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._handle_at = due
        self._handle = self._loop.call_later(max(0.0, due - now), self._on_timer)

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._deadline = self._resend_at = self._silence_at = self._keepalive_at = inf

    def _on_timer(self) -> None:
        self._handle, self._handle_at = None, inf
        pending = self._pending
        if pending is not None and pending.is_abandoned:
            self._pending = None  # the caller was cancelled: nobody waits, nothing is re-sent
            self._rest()
        now = monotonic() + _SLACK_SECONDS
        if now >= self._deadline:
            self._overdue()
        else:
            self._due(now)
        if self.state not in (SessionState.CLOSED, SessionState.FAILED):
            self._arm(now)

    def _due(self, now: float) -> None:
        if now >= self._silence_at:
            self._silence_at = inf
            self._silent = True
            self._owner.went_silent()
        if now >= self._resend_at:
            if self._silent and self._owner.was_resent():
                # It had its second; a peer known to be silent keeps a place only briefly.
                self._silent = False
                self._silence_at = now + self._timing.silence_seconds / 4
            self._again(now)
        if now >= self._keepalive_at:
            self._keepalive_at = inf
            self._keep_alive()

    def _rest(self, now: float = 0.0) -> None:
        """Nothing is awaited: only the keep-alive is due some day."""
        self._deadline = self._resend_at = self._silence_at = inf
        now = now or monotonic()
        if self._timing.keepalive_seconds:
            # Jitter: sessions opened together shall not speak together for ever.
            rest = self._timing.keepalive_seconds * (0.8 + 0.2 * random())  # noqa: S311
            self._keepalive_at = now + rest
        self._arm(now)

    def _speaks_again(self) -> None:
        if self._silent:
            self._silent = False
            self._owner.answered_again()

    # ------------------------------------------------------------ out

    def _prepare(self, netfn: int, command: int, data: bytes) -> Pending:
        self._rq_seq = (self._rq_seq + 1) & 0x3F
        return Pending(netfn, command, data, self._rq_seq)

    def _sealed(self, pending: Pending) -> bytes:
        """Every datagram has a session sequence number of its own, a re-sent one too.

        Add one to `_sequence` when it left: a BMC takes numbers only up to 16 ahead (§6.12.13), so
        what never left must not use numbers up.
        """
        if self._keys is None:  # pragma: no cover
            raise IllegalMoveError("no keys")
        return self._keys.seal(self.bmc_id, self._sequence + 1, pending.message)

    def _emit(self, pending: Pending) -> None:
        if self._transmit(self._sealed(pending)):
            self._sequence += 1

    def _ask(self, pending: Pending, seconds: float, resend_seconds: float) -> None:
        """Send it and make it the awaited one; an abandoned one before it is forgotten."""
        self._wait_for(pending, seconds, resend_seconds)
        self._emit(pending)

    def _wait_for(self, pending: Pending, seconds: float, resend_seconds: float) -> None:
        now = pending.sent_at = monotonic()
        self._pending = pending
        self._deadline = now + seconds
        self._resend_seconds = resend_seconds
        self._resend_at = now + resend_seconds
        self._silence_at = now + self._timing.silence_seconds
        self._silent = False
        self._keepalive_at = inf
        self._arm(now)

    def _transmit(self, datagram: bytes) -> bool:
        """Send, and report a failure in the next turn of the loop, never from inside."""
        try:
            self._transport.send(self._target, datagram)
            return True
        except OSError as error:
            if error.errno not in _PASSING_ERRNOS:
                # No route and the like: known at once, no need to wait for the deadline.
                self._loop.call_soon(
                    self._send_failed, BmcUnreachable(reason="network", errno=error.errno or 0)
                )
        except BmcError as error:
            self._loop.call_soon(self._send_failed, error)
        return False

    def _send_failed(self, error: BmcError) -> None:
        if self.state in LOGGING_IN:
            self._end(SessionState.FAILED, error)
        elif self.state is SessionState.OPEN and self._pending is not None:
            self._pending.fail(error)
