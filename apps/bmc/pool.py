"""The sessions of one worker process: at most one per BMC, bounded, kept alive, logged out."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from time import monotonic

from apps.bmc.errors import BmcAuthBlocked, BmcForbiddenAddress, BmcOverloaded, BmcSessionLost
from apps.bmc.guard import (
    Breaker,
    EndpointKey,
    LoginBudget,
    MemoryRefusals,
    RefusalStore,
)
from apps.bmc.interfaces import BmcSession
from apps.bmc.policy import DestinationPolicy
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.parts import Timing
from apps.bmc.rmcp.session import Session
from apps.bmc.rmcp.slot import Slot
from apps.bmc.rmcp.states import SessionState
from apps.bmc.rmcp.transport import Transport, canonical_address
from apps.bmc.rmcp.turnstile import Hall, Turnstile
from apps.bmc.rmcp.visit import Visit
from apps.bmc.values import Credential, Endpoint


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Limits of one pool."""

    pool_size: int = 50
    """Conversations at one moment: a handshake or a command in progress."""
    window: int = 200
    """Answers that may be awaited at once; less where the kernel grants a small receive buffer."""
    max_sessions: int = 2_000
    """Open sessions; beyond it the longest unused one is logged out."""
    max_slots: int = 20_000
    """BMCs remembered (suite, breaker, budget)."""
    max_waiting: int = 10_000
    wait_seconds: float = 30.0
    """How long to wait for the BMC's other users, and for a place."""
    login_interval_seconds: float = 30.0
    refusal_limit: int = 2
    breaker_failures: int = 3
    breaker_first_seconds: float = 5.0
    breaker_max_seconds: float = 60.0
    suspicion_seconds: float = 1.75
    """After so long without an answer an open session is taken for dead and replaced, once."""
    logout_seconds: float = 3.0
    """`aclose` takes no longer."""
    suite_memory_seconds: float = 3_600.0
    timing: Timing = field(default_factory=Timing)


class SessionPool:
    """Use it from one event loop; make it before or after that loop starts.

    `async with pool.session(endpoint, credential) as bmc:` gives a `BmcSession` whose BMC nobody
    else uses meanwhile. `await pool.aclose()` logs out everywhere.
    """

    def __init__(
        self,
        config: PoolConfig | None = None,
        policy: DestinationPolicy | None = None,
        refusals: RefusalStore | None = None,
        transport: type[Transport] = Transport,
    ) -> None:
        self.config = config or PoolConfig()
        self.policy = policy or DestinationPolicy()
        self.counters = Counters()
        self._refusals: RefusalStore = refusals or MemoryRefusals()
        self._hall = Hall(self.config.max_waiting)
        self._slots: OrderedDict[EndpointKey, Slot] = OrderedDict()
        self._open: OrderedDict[EndpointKey, Slot] = OrderedDict()
        self._make_transport = transport
        self._transport: Transport | None = None
        self._places: Turnstile | None = None
        self._someone_ended = asyncio.Event()

    def __repr__(self) -> str:
        active = sum(slot.is_used for slot in self._slots.values())
        idle = sum(not slot.is_used for slot in self._open.values())
        return f"<SessionPool [{active} active, {idle} idle, {self._hall.waiting} waiting]>"

    # ------------------------------------------------------------ for everybody

    def session(
        self,
        endpoint: Endpoint,
        credential: Credential,
        interactive: bool = False,
        heals: bool = True,
    ) -> AbstractAsyncContextManager[BmcSession]:
        """Wait for the BMC, log in where needed, and have it alone until the end of the block.

        :param interactive: somebody waits at a screen: first in every queue, and may try a BMC
            whose breaker is open (no more often than every `breaker_first_seconds`).
        :param heals: a session that dies under a read is replaced. False: one login at most.
        :raises BmcForbiddenAddress, BmcInsecure, BmcAuthBlocked, BmcBreakerOpen, BmcLoginTooSoon,
            BmcOverloaded: nothing was sent.
        :raises BmcUnreachable, BmcAuthError, BmcPrivilegeError, BmcSlotsFull, BmcInsecure,
            BmcProtocolError: the login failed.
        """
        return Visit(self, endpoint, credential, interactive, heals)

    def forgive(self, endpoint: Endpoint) -> None:
        """A person says: try again. Forgets refusals and failures, not the login budget."""
        self._refusals.forget(self._key(endpoint))
        slot = self._slots.get(self._key(endpoint))
        if slot is not None:
            slot.breaker.reset()

    async def logout(self, endpoint: Endpoint) -> None:
        """Close the session of a BMC that another worker takes over; in use or not."""
        slot = self._slots.get(self._key(endpoint))
        if slot is not None and slot.session is not None:
            slot.session.close()
            await self.ended(slot)

    async def aclose(self) -> None:
        """Log out everywhere, at most `logout_seconds`; afterwards every use is BmcOverloaded."""
        self._hall.close()
        deadline = monotonic() + self.config.logout_seconds
        window = self._transport.window if self._transport else 1
        while self._open and (left := deadline - monotonic()) > 0:
            self._someone_ended.clear()
            self._close_some(window)
            if self._open:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._someone_ended.wait(), left)
        for slot in tuple(self._open.values()):
            if slot.session is not None:
                slot.session.abort(BmcSessionLost())
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    # ------------------------------------------------------------ for visits

    def admit(self, endpoint: Endpoint, secret_key: str) -> Slot:
        """Find the BMC's slot, after the checks that send nothing."""
        if self._hall.is_closed:
            raise BmcOverloaded(reason="closing")
        self.policy.check(endpoint.address)
        if not 0 < endpoint.port < 65_536:
            raise BmcForbiddenAddress(reason="port")
        key = self._key(endpoint)
        slot = self._slots.get(key)
        if slot is None:
            self._trim()
            slot = self._slots[key] = self._new_slot(key)
        self._check_refusals(slot, secret_key)
        self._slots.move_to_end(key)
        return slot

    def check_login(self, slot: Slot, secret_key: str, *, interactive: bool) -> None:
        """May a handshake begin? Asked when the BMC is ours, right before it."""
        if self._hall.is_closed:
            raise BmcOverloaded(reason="closing")
        self._check_refusals(slot, secret_key)
        now = monotonic()
        slot.breaker.check(now, interactive=interactive)
        slot.budget.check(now)

    def new_session(self, slot: Slot) -> Session:
        """:raises BmcOverloaded: `max_sessions` are all in use, or the pool closes."""
        if self._transport is None or self._hall.is_closed:
            raise BmcOverloaded(reason="closing")
        if len(self._open) >= self.config.max_sessions:
            self._evict()
        session = Session(self._transport, slot.key, slot, self.config.timing, self.counters)
        self._open[slot.key] = slot
        slot.start_login(session)
        return session

    def left(self, slot: Slot) -> None:
        if slot.key in self._open:
            self._open.move_to_end(slot.key)

    def accepted(self, slot: Slot, secret_key: str) -> None:
        slot.breaker.reset()
        if self._refusals.count(slot.key, secret_key):
            self._refusals.forget(slot.key)

    def refused(self, slot: Slot, secret_key: str) -> None:
        self.counters.refusals += 1
        slot.breaker.reset()  # it said no, so it is there
        self._refusals.record(slot.key, secret_key)

    async def ended(self, slot: Slot) -> None:
        """Wait until the closing session of this BMC is gone; bounded by `close_seconds`."""
        if slot.session is None:
            return
        if slot.ended_waiter is None or slot.ended_waiter.done():
            slot.ended_waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(slot.ended_waiter)

    # ------------------------------------------------------------ inside

    def _close_some(self, window: int) -> None:
        """Begin as many logouts as may be under way; what is not open yet ends at once."""
        sessions = [slot.session for slot in self._open.values() if slot.session is not None]
        closing = sum(session.state is SessionState.CLOSING for session in sessions)
        waiting = [s for s in sessions if s.state is not SessionState.CLOSING]
        for session in waiting[: max(0, window - closing)]:
            session.close()

    def _check_refusals(self, slot: Slot, secret_key: str) -> None:
        count = self._refusals.count(slot.key, secret_key)
        if count >= self.config.refusal_limit:
            raise BmcAuthBlocked(refusals=count)

    def _key(self, endpoint: Endpoint) -> EndpointKey:
        return (canonical_address(endpoint.address), endpoint.port)

    def _new_slot(self, key: EndpointKey) -> Slot:
        config = self.config
        if self._transport is None or self._places is None:
            self._transport = self._make_transport(self.policy, self.counters, config.window)
            self._places = Turnstile(self._hall, min(config.pool_size, self._transport.window))
        return Slot(
            key,
            Turnstile(self._hall, 1),
            self._places,
            Breaker(
                config.breaker_failures, config.breaker_first_seconds, config.breaker_max_seconds
            ),
            LoginBudget(config.login_interval_seconds),
            self._session_ended,
        )

    def _session_ended(self, slot: Slot, session: Session) -> None:
        self._open.pop(slot.key, None)
        self._someone_ended.set()

    def _evict(self) -> None:
        """Log out the longest unused session (IPMI sessions end by themselves only after 60 s)."""
        for slot in self._open.values():
            if not slot.is_used and slot.session is not None and slot.session.is_open:
                self.counters.sessions_evicted += 1
                slot.session.close()
                return
        if all(slot.is_used for slot in self._open.values()):
            raise BmcOverloaded(reason="sessions")

    def _trim(self) -> None:
        if len(self._slots) >= self.config.max_slots:
            now = monotonic()
            old = next((k for k, s in self._slots.items() if s.is_forgettable(now)), None)
            if old is not None:
                del self._slots[old]
