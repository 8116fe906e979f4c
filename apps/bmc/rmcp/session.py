"""One RMCP+ session with one BMC: login, commands, keep-alive, logout, as callbacks on the loop."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Final

from apps.bmc.errors import (
    BmcBusy,
    BmcError,
    BmcInsecure,
    BmcNoReply,
    BmcNotSent,
    BmcPrivilegeError,
    BmcProtocolError,
    BmcSessionLost,
    BmcUnreachable,
)
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.crypto import SUITES
from apps.bmc.rmcp.exchange import Account, Exchange, HalfOpenLostError, SuiteRefusedError
from apps.bmc.rmcp.line import Line
from apps.bmc.rmcp.parts import BUSY_CODES, Owner, Pending, Timing
from apps.bmc.rmcp.states import LOGGING_IN, SEALED, IllegalMoveError, SessionState
from apps.bmc.rmcp.transport import Target, Transport
from apps.bmc.rmcp.window import ReplayWindow
from apps.bmc.rmcp.wire import (
    PAYLOAD_OPEN_RESPONSE,
    PAYLOAD_RAKP2,
    PAYLOAD_RAKP4,
    Envelope,
    Message,
    WireError,
    parse_envelope,
    parse_message,
)
from apps.bmc.values import CipherSuite

NETFN_APP: Final = 0x06
GET_DEVICE_ID: Final = 0x01
SET_PRIVILEGE: Final = 0x3B
CLOSE_SESSION: Final = 0x3C

_SEALED_HEAD: Final = b"\x06\xc0"
_AWAITED: Final = {
    SessionState.OPENING: PAYLOAD_OPEN_RESPONSE,
    SessionState.RAKP1: PAYLOAD_RAKP2,
    SessionState.RAKP3: PAYLOAD_RAKP4,
}


class Session(Line):
    """Goes once through `LEGAL_MOVES`; a new login is a new object."""

    __slots__ = (
        "_account", "_earlier", "_exchange", "_heard", "_id", "_login", "_patience", "_sent_at",
        "_slow", "_suites", "_verdict", "_window", "level", "rtt", "suite",
    )  # fmt: skip

    def __init__(
        self,
        transport: Transport,
        target: Target,
        owner: Owner,
        timing: Timing,
        counters: Counters,
    ) -> None:
        super().__init__(transport, target, owner, timing, counters)
        self.suite = CipherSuite.SHA256
        self.level = 0
        self.rtt = 0.0
        self._account: Account | None = None
        self._exchange: Exchange | None = None
        self._suites: list[CipherSuite] = []
        self._earlier: dict[bytes, float] = {}
        self._id = b""
        self._login: asyncio.Future[None] | None = None
        self._patience = timing.handshake_resend_seconds
        self._sent_at = 0.0
        self._heard = self._slow = False
        self._verdict: BmcError | None = None
        self._window = ReplayWindow()

    @property
    def is_open(self) -> bool:
        return self.state is SessionState.OPEN

    # ------------------------------------------------------------ what the owner calls

    def login(
        self, account: Account, suites: Sequence[CipherSuite], seconds: float
    ) -> asyncio.Future[None]:
        """Begin the handshake, proposing these suites in this order.

        The future gives BmcUnreachable after `seconds`, or the reason why the BMC said no.
        """
        self._account = account
        self._suites = list(suites)
        self._login = self._loop.create_future()
        now = monotonic()
        self._deadline = now + seconds
        self._silence_at = now + self._timing.silence_seconds
        self._transport.attach(self._target, self)
        self._counters.handshakes += 1
        self._begin_attempt()
        return self._login

    def request(
        self, netfn: int, command: int, data: bytes, seconds: float
    ) -> asyncio.Future[Message]:
        """Send a read: re-sent on silence. The future gives BmcNoReply after `seconds`.

        :raises BmcSessionLost: no open session; nothing was sent.
        """
        if self.state is not SessionState.OPEN:
            raise BmcSessionLost()
        pending = self._prepare(netfn, command, data)
        future = pending.future = self._loop.create_future()
        self._ask(pending, seconds, self._timing.read_resend_seconds)
        return future

    def send_once(
        self, netfn: int, command: int, data: bytes, not_after: float, seconds: float
    ) -> Pending:
        """Send a command that acts: one datagram, never again. Nothing awaits before it left.

        :raises BmcNotSent: nothing left: too late, no open session, or the kernel refused.
        """
        if self.state is not SessionState.OPEN:
            raise BmcNotSent(reason="no_session")
        pending = self._prepare(netfn, command, data)
        pending.once = True
        datagram = self._sealed(pending)
        if monotonic() > not_after:
            raise BmcNotSent(reason="too_late")
        try:
            self._transport.send(self._target, datagram)
        except OSError as error:
            raise BmcNotSent(reason="network", errno=error.errno or 0) from None
        self._sequence += 1
        pending.future = self._loop.create_future()
        self._wait_for(pending, seconds, inf)
        return pending

    def close(self) -> None:
        """Log out; `owner.ended` follows when the BMC answered, or did not within close_seconds."""
        if self.state is not SessionState.OPEN:
            self.abort(BmcSessionLost())
            return
        if self._pending is not None:
            self._pending.fail(BmcSessionLost())
        self._move(SessionState.CLOSING)
        seconds = self._timing.close_seconds
        self._ask(self._logout(), seconds, seconds / 2)

    def abort(self, error: BmcError) -> None:
        """End now, without waiting; a BMC that holds an open session of ours is told once."""
        self._leave_unconfirmed()
        if self.state in (SessionState.RAISING_PRIVILEGE, SessionState.OPEN):
            self._emit(self._logout())
        if self.state not in (SessionState.CLOSED, SessionState.FAILED):
            self._end(SessionState.FAILED, error)

    # ------------------------------------------------------------ what the transport calls

    def datagram(self, data: bytes) -> bool:
        """Take what came from the BMC's address; False if it is not for this session."""
        if self.state in SEALED:
            if data[4:6] != _SEALED_HEAD or data[6:10] != self._id:
                return False
            self._open_sealed(data)
            return True
        if self.state not in LOGGING_IN or data[4:6] == _SEALED_HEAD:
            return False
        try:
            envelope = parse_envelope(data)
        except WireError:
            self._counters.drop("envelope")
            return True
        if envelope.flags:
            self._counters.drop("unexpected")
        elif envelope.payload_type != _AWAITED[self.state]:
            self._not_ours(envelope.payload)
        else:
            self._step(envelope)
        return True

    # ------------------------------------------------------------ handshake

    def _begin_attempt(self) -> None:
        """(Re)start from Open Session with a new session id (IPMI 2.0 §13.17)."""
        if self._account is None:  # pragma: no cover
            raise IllegalMoveError("no account")
        self._move(SessionState.OPENING)
        self._exchange = Exchange(self._account, SUITES[self._suites[0]])
        self._id = self._exchange.console_id.to_bytes(4, "little")
        self._handshake_send(self._exchange.open_request())

    def _handshake_send(self, datagram: bytes) -> None:
        self._sent_at = monotonic()
        self._resend_at = self._sent_at + self._patience
        self._arm(self._sent_at)
        self._transmit(datagram)

    def _step(self, envelope: Envelope) -> None:
        """Take one answer of the handshake and send the next message."""
        try:
            datagram = self._next_message(envelope.payload)
        except WireError:
            self._not_ours(envelope.payload)
        except HalfOpenLostError:
            self._counters.drop("half_open_lost")  # the timer starts again, not this packet
        except SuiteRefusedError as refusal:
            self._next_suite(refusal.status)
        except BmcError as error:
            if error.code == "slots_full" and self._earlier:
                self._verdict = error  # our own lost attempts may hold the slots: try on
                self._counters.drop("slots_full")
            else:
                self._end(SessionState.FAILED, error)
        else:
            if datagram:
                self._handshake_send(datagram)

    def _next_message(self, payload: bytes) -> bytes:
        exchange = self._exchange
        if exchange is None:  # pragma: no cover
            raise IllegalMoveError("no exchange")
        if self.state is SessionState.OPENING:
            datagram = exchange.rakp1(payload)
            self._heard_from(SessionState.RAKP1)
            self._hurry()
            return datagram
        if self.state is SessionState.RAKP1:
            datagram = exchange.rakp3(payload)
            self.bmc_id = exchange.bmc_id
            self._heard_from(SessionState.RAKP3)
            self._owner.sends_rakp3()
            return datagram
        self._keys = exchange.keys(payload)
        self._heard_from(SessionState.RAISING_PRIVILEGE)
        # Every session starts as a mere user (IPMI 2.0 §22.18).
        level = bytes((self._account.privilege if self._account else 0,))
        left = self._deadline - monotonic()
        self._ask(self._prepare(NETFN_APP, SET_PRIVILEGE, level), left, self._patience)
        return b""

    def _heard_from(self, state: SessionState) -> None:
        self._move(state)
        self._heard = True
        self._silence_at = monotonic() + self._timing.silence_seconds
        self._speaks_again()

    def _hurry(self) -> None:
        """A quick answer to Open Session tells how soon a loss can be known, unless it was late."""
        if not self._slow:
            quick = 10 * (monotonic() - self._sent_at)
            self._patience = min(self._patience, max(self._timing.handshake_fast_seconds, quick))

    def _not_ours(self, payload: bytes) -> None:
        """A late answer to an earlier attempt tells that the BMC is slow: wait longer now."""
        sent_at = self._earlier.pop(payload[4:8], None)
        self._counters.drop("handshake" if sent_at is None else "late")
        if sent_at is not None:
            self._slow = True
            self._patience = max(self._patience, 2 * (monotonic() - sent_at))
            self._resend_at = max(self._resend_at, self._sent_at + self._patience)

    def _next_suite(self, status: int) -> None:
        """The suite was refused; nothing but an answer to Open Session may do that."""
        if self.state is not SessionState.OPENING:
            self._end(SessionState.FAILED, BmcProtocolError(status=status))
        elif len(self._suites) < 2:
            self._end(SessionState.FAILED, BmcInsecure(reason="no_suite", status=status))
        else:
            del self._suites[0]
            self._heard = True
            self._hurry()
            self._speaks_again()
            self._begin_attempt()

    def _raised(self, message: Message) -> None:
        """The answer to Set Session Privilege Level (IPMI 2.0 §22.18)."""
        wanted = self._account.privilege if self._account else 0
        code, data = message.code or 0, message.data
        if code in BUSY_CODES:
            self.abort(BmcBusy(completion_code=code))
        elif code:
            self.abort(BmcPrivilegeError(completion_code=code))
        elif not data:
            self.abort(BmcProtocolError(reason="privilege_answer"))
        elif data[0] & 0x0F < wanted:
            self.abort(BmcPrivilegeError(level=data[0] & 0x0F))
        else:
            self.level = data[0] & 0x0F
            self._opened()

    def _opened(self) -> None:
        self.suite = self._suites[0]
        self._account = self._exchange = None  # no password stays in an open session
        self._earlier.clear()
        self._move(SessionState.OPEN)
        self._counters.logins += 1
        self._rest()
        if self._login is not None and not self._login.done():
            self._login.set_result(None)

    # ------------------------------------------------------------ commands

    def _open_sealed(self, data: bytes) -> None:
        """Signature, then replay window, and only then look inside."""
        if self._keys is None:  # pragma: no cover
            raise IllegalMoveError("no keys")
        try:
            _, sequence, raw = self._keys.open(data)
            if not self._window.accept(sequence):
                self._counters.drop("replay")
                return
            message = parse_message(raw)
        except WireError:
            self._counters.drop("integrity")
            return
        pending = self._pending
        if pending is None or not pending.answers(message):
            self._counters.drop("late")
            return
        self._pending = None
        now = pending.answered_at = monotonic()
        if not pending.resent:
            self.rtt = max(self.rtt * 0.9, now - pending.sent_at)
        self._speaks_again()
        if self.state is SessionState.RAISING_PRIVILEGE:
            self._raised(message)
        elif self.state is SessionState.CLOSING:
            self._end(SessionState.CLOSED, BmcSessionLost())
        else:
            self._rest(now)
            pending.give(message)

    def _logout(self) -> Pending:
        """Close Session (IPMI 2.0 §22.19)."""
        return self._prepare(NETFN_APP, CLOSE_SESSION, struct.pack("<I", self.bmc_id))

    def _leave_unconfirmed(self) -> None:
        """Log out of what RAKP 3 may have opened: with RAKP 4 lost it would keep a slot."""
        if self.state is SessionState.RAKP3 and self._exchange is not None:
            self._keys = self._exchange.unconfirmed_keys()
            self._emit(self._logout())
            self._keys, self._sequence = None, 0

    # ------------------------------------------------------------ what the timer calls

    def _overdue(self) -> None:
        if self.state in LOGGING_IN:
            self.abort(self._verdict or BmcUnreachable(stage=self.state.value))
        elif self.state is SessionState.CLOSING:
            self._end(SessionState.CLOSED, BmcSessionLost())
        elif self._pending is not None and self._pending.is_awaited:
            pending, self._pending = self._pending, None
            self._rest()
            pending.fail(BmcNoReply())
        else:
            self._end(SessionState.FAILED, BmcSessionLost())  # even the keep-alive found nobody

    def _again(self, now: float) -> None:
        if self._pending is not None:
            self._pending.resent = True
            self._resend_at = now + self._resend_seconds
            self._counters.resends += 1
            self._emit(self._pending)
            return
        if not self._heard:
            self._patience *= self._timing.handshake_growth
        self._counters.handshake_restarts += 1
        self._earlier[self._id] = self._sent_at
        self._leave_unconfirmed()
        self._begin_attempt()

    def _keep_alive(self) -> None:
        """Ask something cheap, or a real BMC drops the idle session after about 60 s."""
        self._counters.keepalives += 1
        pending = self._prepare(NETFN_APP, GET_DEVICE_ID, b"")
        self._ask(pending, self._timing.command_seconds, self._timing.read_resend_seconds)

    def _end(self, state: SessionState, error: BmcError) -> None:
        self._move(state)
        self._disarm()
        self._transport.detach(self._target, self)
        self._account = self._exchange = None
        pending, self._pending = self._pending, None
        if self._login is not None and not self._login.done():
            self._login.set_exception(error)
        if pending is not None:
            pending.fail(error)
        self._owner.ended(self)
