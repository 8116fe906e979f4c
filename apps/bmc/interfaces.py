"""What a driver can do, one abstract class per capability. `fake.py` is the example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from apps.bmc.values import (
    ChassisStatus,
    Credential,
    DeviceId,
    Endpoint,
    FruRecord,
    PowerAction,
    PowerState,
    Receipt,
    SessionFacts,
)


class Power(ABC):
    @abstractmethod
    async def chassis_status(self) -> ChassisStatus:
        """Read the chassis status; re-sent on silence.

        :raises BmcError: unreachable, session_lost, protocol_error, …
        """

    async def power_state(self) -> PowerState:
        """Read the power state: on or off. What cannot be read raises; it never returns unknown."""
        return (await self.chassis_status()).power

    @abstractmethod
    async def chassis_control(self, action: PowerAction, *, not_after: float) -> Receipt:
        """Send one datagram, once. Never re-sent, never repeated after a new login.

        :param not_after: `time.monotonic()` after which nothing may leave.
        :raises BmcNotSent: certainly nothing left (too late, no session).
        :raises BmcNoReply: it left, no answer came: it may have run.
        :raises BmcRefused, BmcBusy: the BMC answered no: it did not run.
        """


class Identify(ABC):
    @abstractmethod
    async def identify(self, seconds: int) -> None:
        """Light the identify LED for 1..255 seconds; 0 turns it off (IPMI 2.0 §28.5)."""


class Identity(ABC):
    @abstractmethod
    async def device_id(self) -> DeviceId:
        """Read Get Device ID."""

    @abstractmethod
    async def system_guid(self) -> str:
        """Read the system GUID as 32 lower-case hex digits in wire order, without dashes."""

    @abstractmethod
    def facts(self) -> SessionFacts:
        """Say what this session got; nothing is sent.

        :raises BmcSessionLost: none is open.
        """


class Fru(ABC):
    @abstractmethod
    async def fru(self) -> FruRecord:
        """Read the default FRU: several commands, at most 8 KiB.

        :raises BmcProtocolError: what came is not an inventory.
        :raises BmcRefused: there is none.
        """


class BmcSession(Power, Identify, Identity, Fru):
    """Everything an IPMI session of this version can do."""

    @property
    @abstractmethod
    def login_number(self) -> int:
        """The login under which the last command went, from 1 on; never the same twice in a
        process. A read may log in anew: ask after it."""


class Sessions(Protocol):
    """What upper floors need of a pool: `client.SessionPool`, or `fake.FakePool` in tests."""

    def session(
        self,
        endpoint: Endpoint,
        credential: Credential,
        interactive: bool = False,
        heals: bool = True,
    ) -> AbstractAsyncContextManager[BmcSession]:
        """The BMC, logged in and for the caller alone until the end of the block."""

    def forgive(self, endpoint: Endpoint) -> None:
        """A person says: try again what was refused or failed."""

    async def logout(self, endpoint: Endpoint) -> None:
        """Close the session of a BMC that somebody else takes over."""

    async def aclose(self) -> None:
        """Log out everywhere; nothing is served afterwards."""
