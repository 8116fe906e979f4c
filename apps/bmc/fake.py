"""BMCs in memory, with the faults a test asks for: the example of what a driver must do."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Final

from apps.bmc.errors import BmcError, BmcNotSent, BmcOverloaded, BmcRefused, BmcSessionLost
from apps.bmc.interfaces import BmcSession
from apps.bmc.values import (
    ChassisStatus,
    CipherSuite,
    Credential,
    DeviceId,
    Endpoint,
    FruRecord,
    PowerAction,
    PowerState,
    Privilege,
    Receipt,
    SessionFacts,
)

_OUTCOME: Final[dict[PowerAction, PowerState | None]] = {
    PowerAction.ON: PowerState.ON,
    PowerAction.OFF: PowerState.OFF,
    PowerAction.SOFT_OFF: PowerState.OFF,
    PowerAction.CYCLE: None,
    PowerAction.RESET: None,
    PowerAction.NMI: None,
}
PARAMETER_NOT_NOW: Final = 0xD5
"""Not supported in the present state (IPMI 2.0 table 5-2)."""


class FakeBmc(BmcSession):
    """One BMC. Set the attributes before or between uses; `executed` has every control that ran.

    `fail("chassis_status", BmcUnreachable())` makes the next such call raise; `"login"` is one too.
    An error given for `chassis_control` is raised after the action ran if it is BmcNoReply.
    """

    def __init__(self, power: PowerState = PowerState.ON) -> None:
        self.power = power
        self.lag_seconds = 0.0
        """How long after an accepted action the old state is still read."""
        self.delay_seconds = 0.0
        """How long every answer takes."""
        self.guid = "00112233445566778899aabbccddeeff"
        self.device = DeviceId(0x20, 1, "2.10", "2.0", 343, 258)
        self.inventory = FruRecord(manufacturer="Example", product="E1", serial="E1-0001")
        self.session = SessionFacts(CipherSuite.SHA256, Privilege.OPERATOR, is_new=True)
        self.identify_seconds = 0
        self.executed: list[PowerAction] = []
        self.reads = 0
        self.logins = 0
        self.is_open = False
        self._faults: defaultdict[str, deque[BmcError]] = defaultdict(deque)
        self._next: tuple[float, PowerState] | None = None

    def fail(self, call: str, *errors: BmcError) -> None:
        """The next calls of this name raise these errors, one each."""
        self._faults[call].extend(errors)

    @property
    def login_number(self) -> int:
        return self.logins

    async def chassis_status(self) -> ChassisStatus:
        await self._read("chassis_status")
        self._settle()
        return ChassisStatus(self.power, bool(self.executed), False, self.identify_seconds > 0)

    async def chassis_control(self, action: PowerAction, *, not_after: float) -> Receipt:
        if not self.is_open:
            raise BmcNotSent(reason="no_session")
        sent = monotonic()
        if sent > not_after:
            raise BmcNotSent(reason="too_late")
        fault = self._fault("chassis_control")
        if fault is not None and fault.code != "no_reply":
            raise fault
        self._settle()
        if self.power is PowerState.OFF and _OUTCOME[action] is None:
            raise BmcRefused(completion_code=PARAMETER_NOT_NOW)
        self.executed.append(action)
        outcome = _OUTCOME[action]
        if outcome is not None:
            self._next = (sent + self.lag_seconds, outcome)
        await asyncio.sleep(self.delay_seconds)
        if fault is not None:
            raise fault
        return Receipt(sent, monotonic())

    async def identify(self, seconds: int) -> None:
        await self._read("identify")
        self.identify_seconds = seconds

    async def device_id(self) -> DeviceId:
        await self._read("device_id")
        return self.device

    async def system_guid(self) -> str:
        await self._read("system_guid")
        return self.guid

    async def fru(self) -> FruRecord:
        await self._read("fru")
        return self.inventory

    def facts(self) -> SessionFacts:
        if not self.is_open:
            raise BmcSessionLost(reason="outside_visit")
        return self.session

    async def log_in(self) -> None:
        fault = self._fault("login")
        if fault is not None:
            raise fault
        await asyncio.sleep(self.delay_seconds)
        self.logins += 1

    def _settle(self) -> None:
        if self._next is not None and monotonic() >= self._next[0]:
            self.power, self._next = self._next[1], None

    def _fault(self, call: str) -> BmcError | None:
        faults = self._faults[call]
        return faults.popleft() if faults else None

    async def _read(self, call: str) -> None:
        if not self.is_open:
            raise BmcSessionLost(reason="outside_visit")
        self.reads += 1
        await asyncio.sleep(self.delay_seconds)
        fault = self._fault(call)
        if fault is not None:
            raise fault


class FakePool:
    """What `SessionPool` offers, over `FakeBmc`s: one user per BMC, a login per first use."""

    def __init__(self) -> None:
        self.bmcs: dict[tuple[str, int], FakeBmc] = {}
        self.forgiven: list[Endpoint] = []
        self.is_closed = False
        self._locks: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._credentials: dict[tuple[str, int], Credential] = {}

    def __repr__(self) -> str:
        active = sum(lock.locked() for lock in self._locks.values())
        return f"<FakePool [{active} active, {len(self._credentials)} logged in]>"

    def bmc(self, endpoint: Endpoint) -> FakeBmc:
        """The BMC behind an endpoint; a new one is on."""
        return self.bmcs.setdefault(endpoint.key, FakeBmc())

    def session(
        self,
        endpoint: Endpoint,
        credential: Credential,
        interactive: bool = False,
        heals: bool = True,
    ) -> AbstractAsyncContextManager[BmcSession]:
        return self._session(endpoint, credential)

    @asynccontextmanager
    async def _session(
        self, endpoint: Endpoint, credential: Credential
    ) -> AsyncIterator[BmcSession]:
        async with self._locks[endpoint.key]:
            if self.is_closed:
                raise BmcOverloaded(reason="closing")
            bmc = self.bmc(endpoint)
            if self._credentials.get(endpoint.key) != credential:
                await bmc.log_in()
                self._credentials[endpoint.key] = credential
            bmc.is_open = True
            try:
                yield bmc
            finally:
                bmc.is_open = False

    def forgive(self, endpoint: Endpoint) -> None:
        self.forgiven.append(endpoint)

    async def logout(self, endpoint: Endpoint) -> None:
        self._credentials.pop(endpoint.key, None)

    async def aclose(self) -> None:
        self.is_closed = True
        self._credentials.clear()
