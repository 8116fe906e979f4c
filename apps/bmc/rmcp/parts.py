"""What a session is made of: its times, its owner, its one awaited command."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from apps.bmc.errors import BmcError, BmcNoReply
from apps.bmc.rmcp.wire import Message, build_request

if TYPE_CHECKING:
    from apps.bmc.rmcp.session import Session


BUSY_CODES: Final = frozenset({0xC0, 0xC3})
"""Node busy, and timeout while processing (IPMI 2.0 table 5-2): no, for now."""


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds."""

    login_seconds: float = 4.8
    """A dead BMC is known in less than 5 s."""
    handshake_resend_seconds: float = 0.5
    handshake_growth: float = 1.1
    handshake_fast_seconds: float = 0.25
    """The same for a BMC that answered Open Session at once (or 10 × that answer's time)."""
    command_seconds: float = 3.0
    read_resend_seconds: float = 1.0
    silence_seconds: float = 0.06
    """After so long without an answer the peer's place is given to somebody else.

    It comes back with the answer. With 0.25 s a cold burst of 500 BMCs, 10 % silent, 10 % slow and
    5 % garbage, takes the healthy ones 2.9 × as long; so 1.04 × (`python -m bench.bad_neighbours`).
    """
    keepalive_seconds: float = 20.0
    """Real BMCs drop an idle session after 60 s, ipmi_sim after 30 s; 0 turns it off."""
    close_seconds: float = 1.0


class Owner(Protocol):
    """Who keeps the session: told about what concerns places and budgets."""

    def went_silent(self) -> None:
        """The peer said nothing for `silence_seconds`."""

    def was_resent(self) -> bool:
        """A silent peer was asked again; True if there was a free place for it."""

    def answered_again(self) -> None:
        """A silent peer spoke."""

    def sends_rakp3(self) -> None:
        """From here on the handshake counts as a login (B3)."""

    def ended(self, session: Session) -> None:
        """The session is CLOSED or FAILED and detached."""


class Pending:
    """The one command that waits for its answer; `future` is None for our own keep-alive."""

    __slots__ = (
        "answered_at", "command", "future", "message", "netfn", "once", "resent", "rq_seq",
        "sent_at",
    )  # fmt: skip

    def __init__(self, netfn: int, command: int, data: bytes, rq_seq: int) -> None:
        self.netfn = netfn
        self.command = command
        self.rq_seq = rq_seq
        self.message = build_request(netfn, command, data, rq_seq)
        self.future: asyncio.Future[Message] | None = None
        self.once = False
        self.resent = False
        self.sent_at = 0.0
        self.answered_at = 0.0

    def answers(self, message: Message) -> bool:
        """Is this the answer to this very request? (IPMI 2.0 §13.8: rqSeq, NetFn + 1, command)"""
        return (
            message.rq_seq == self.rq_seq
            and message.command == self.command
            and message.netfn == self.netfn | 1
        )

    @property
    def is_awaited(self) -> bool:
        return self.future is not None and not self.future.done()

    @property
    def is_abandoned(self) -> bool:
        return self.future is not None and self.future.done()

    async def wait(self) -> Message:
        """The answer. :raises BmcNoReply: none came."""
        if self.future is None:
            raise BmcNoReply()
        return await self.future

    def give(self, message: Message) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(message)

    def fail(self, error: BmcError) -> None:
        """A command that goes out once may have run, whatever happened to the session since."""
        if self.future is not None and not self.future.done():
            self.future.set_exception(BmcNoReply() if self.once else error)
