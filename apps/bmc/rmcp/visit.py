"""One use of one BMC: `async with pool.session(…)`. Logs in, asks, heals, acts once."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from apps.bmc.errors import (
    BmcAuthError,
    BmcError,
    BmcInsecure,
    BmcNoReply,
    BmcNotSent,
    BmcOverloaded,
    BmcSessionLost,
    BmcUnreachable,
)
from apps.bmc.guard import credential_key
from apps.bmc.interfaces import BmcSession
from apps.bmc.ipmi.driver import IpmiBmc
from apps.bmc.rmcp.exchange import Account
from apps.bmc.rmcp.session import Session
from apps.bmc.rmcp.slot import Slot, identity_of
from apps.bmc.rmcp.turnstile import Rank
from apps.bmc.rmcp.wire import Message
from apps.bmc.values import CipherSuite, Credential, Endpoint, Privilege, Receipt, SessionFacts

if TYPE_CHECKING:
    from apps.bmc.pool import SessionPool


class Visit(AbstractAsyncContextManager[BmcSession]):
    """Has its BMC to itself from `async with` to its end; others queue."""

    __slots__ = (
        "_account", "_credential", "_endpoint", "_heals", "_interactive", "_is_new", "_lock",
        "_pool", "_secret_key", "_slot",
    )  # fmt: skip

    def __init__(
        self,
        pool: SessionPool,
        endpoint: Endpoint,
        credential: Credential,
        interactive: bool,
        heals: bool = True,
    ) -> None:
        self._pool = pool
        self._endpoint = endpoint
        self._credential = credential
        self._interactive = interactive
        self._heals = heals
        self._is_new = False
        self._account: Account | None = None
        self._secret_key = credential_key(credential)
        self._slot: Slot | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> BmcSession:
        pool = self._pool
        self._account = Account(self._credential, self._endpoint.workarounds)
        slot = pool.admit(self._endpoint, self._secret_key)
        rank = Rank.INTERACTIVE if self._interactive else Rank.NEW
        if not slot.gate.try_enter():
            await slot.gate.enter(rank, pool.config.wait_seconds)
        try:
            await self._connect(slot, pool.config.timing.login_seconds)
        except BaseException:
            slot.gate.leave()
            raise
        self._slot = slot
        return IpmiBmc(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        slot, self._slot, self._account = self._slot, None, None
        if slot is not None:
            self._pool.left(slot)
            slot.gate.leave()

    # ------------------------------------------------------------ commands

    @property
    def login_number(self) -> int:
        """0 where nobody is logged in now."""
        session = self._slot.session if self._slot else None
        return session.number if session else 0

    async def read(self, netfn: int, command: int, data: bytes) -> Message:
        """Ask; re-sent at 1 s. A silent session is replaced once, if the login budget allows.

        :raises BmcUnreachable, BmcSessionLost: no answer, also not in a new session.
        """
        async with self._lock:
            slot = self._slot
            if slot is None:
                raise BmcSessionLost(reason="outside_visit")
            try:
                return await self._read(slot, netfn, command, data)
            except BmcNoReply:
                slot.breaker.failed(monotonic())
                self._lose(slot)
                raise BmcUnreachable(stage="command") from None

    async def _read(self, slot: Slot, netfn: int, command: int, data: bytes) -> Message:
        config = self._pool.config
        started = monotonic()
        longest = config.timing.command_seconds
        session = slot.session
        if session is not None and session.is_open:
            if not self._may_log_in or not slot.budget.allows_after_loss(started):
                return await self._ask(slot, session, netfn, command, data, longest)
            # A slow BMC gets the time that it usually takes before it is suspected.
            patience = min(longest, max(config.suspicion_seconds, 2.5 * session.rtt))
            try:
                return await self._ask(slot, session, netfn, command, data, patience)
            except (BmcNoReply, BmcSessionLost):
                self._lose(slot)
        if not self._may_log_in:
            raise BmcSessionLost()
        left = config.timing.login_seconds - (monotonic() - started)
        session = await self._connect(slot, max(1.0, left))
        return await self._ask(slot, session, netfn, command, data, longest)

    @property
    def _may_log_in(self) -> bool:
        return self._heals or not self._is_new

    def facts(self) -> SessionFacts:
        session = self._slot.session if self._slot else None
        if session is None or not session.is_open:
            raise BmcSessionLost(reason="outside_visit")
        privilege = Privilege(min(session.level, Privilege.ADMINISTRATOR))
        return SessionFacts(session.suite, privilege, self._is_new)

    async def send_once(
        self, netfn: int, command: int, data: bytes, not_after: float
    ) -> tuple[Message, Receipt]:
        """Act with one datagram, never re-sent, in the session that is open now or not at all.

        :raises BmcNotSent: nothing left. :raises BmcNoReply: it left, and may have run.
        """
        async with self._lock:
            slot = self._slot
            if slot is None or slot.session is None or not slot.session.is_open:
                raise BmcNotSent(reason="no_session")
            await self._place_for_action(slot, not_after)
            try:
                session = slot.session
                if session is None:  # ended while we waited for a place
                    raise BmcNotSent(reason="no_session")
                seconds = self._pool.config.timing.command_seconds
                pending = session.send_once(netfn, command, data, not_after, seconds)
                message = await pending.wait()
            finally:
                slot.finish()
        slot.breaker.reset()
        return message, Receipt(pending.sent_at, pending.answered_at)

    async def _place_for_action(self, slot: Slot, not_after: float) -> None:
        seconds = min(self._pool.config.wait_seconds, max(0.0, not_after - monotonic()))
        try:
            await slot.begin(self._rank(Rank.CONTINUING), seconds)
        except BmcOverloaded as error:
            raise BmcNotSent(**error.params) from None

    async def _ask(
        self, slot: Slot, session: Session, netfn: int, command: int, data: bytes, seconds: float
    ) -> Message:
        await slot.begin(self._rank(Rank.CONTINUING), self._pool.config.wait_seconds)
        try:
            message = await session.request(netfn, command, data, seconds)
        finally:
            slot.finish()
        slot.breaker.reset()
        return message

    def _lose(self, slot: Slot) -> None:
        """Give the session up; the next read logs in anew."""
        if slot.session is not None and slot.session.is_open:
            self._pool.counters.sessions_lost += 1
            slot.session.abort(BmcSessionLost())

    def _rank(self, rank: Rank) -> Rank:
        return Rank.INTERACTIVE if self._interactive else rank

    # ------------------------------------------------------------ login

    async def _connect(self, slot: Slot, seconds: float) -> Session:
        """Give the open session of this very credential, logging in where there is none."""
        pool, identity = self._pool, identity_of(self._credential)
        session = slot.session
        if session is not None and session.is_open:
            if slot.identity == identity and session.suite in self._endpoint.suites:
                return session
            session.close()
            slot.budget.session_lost()  # another credential or suite may try at once
        if slot.session is not None:
            await pool.ended(slot)
        suites = slot.suites(self._endpoint.suites)
        if not suites:
            raise BmcInsecure(reason="no_suite")
        pool.check_login(slot, self._secret_key, interactive=self._interactive)
        rank = Rank.SUSPECT if slot.breaker.is_suspect else Rank.NEW
        await slot.begin(self._rank(rank), pool.config.wait_seconds)
        try:
            session = pool.new_session(slot)
            slot.identity = identity
            await self._login(slot, session, suites, seconds)
        finally:
            slot.finish()
        self._is_new = True
        slot.logged_in(session.suite, pool.config.suite_memory_seconds)
        pool.accepted(slot, self._secret_key)
        return session

    async def _login(
        self, slot: Slot, session: Session, suites: list[CipherSuite], seconds: float
    ) -> None:
        if self._account is None:  # pragma: no cover
            raise BmcSessionLost(reason="outside_visit")
        try:
            await session.login(self._account, suites, seconds)
        except BmcUnreachable:
            self._pool.counters.unreachable += 1
            slot.breaker.failed(monotonic())
            raise
        except BmcAuthError:
            self._pool.refused(slot, self._secret_key)
            raise
        except BmcError:
            slot.breaker.reset()  # it said no, so it is there
            raise
        except asyncio.CancelledError:
            session.abort(BmcSessionLost())
            raise
