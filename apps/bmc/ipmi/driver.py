"""The IPMI commands over whatever carries them: `BmcSession` as the portal uses it."""

from __future__ import annotations

from typing import Protocol

from apps.bmc.errors import BmcBusy, BmcRefused
from apps.bmc.interfaces import BmcSession
from apps.bmc.ipmi.app import (
    GET_DEVICE_ID,
    GET_SYSTEM_GUID,
    NETFN_APP,
    decode_device_id,
    decode_guid,
)
from apps.bmc.ipmi.chassis import (
    CHASSIS_CONTROL,
    CHASSIS_CONTROL_COMMAND,
    CHASSIS_IDENTIFY,
    GET_CHASSIS_STATUS,
    NETFN_CHASSIS,
    decode_chassis_status,
    identify_data,
)
from apps.bmc.ipmi.fru import (
    DEFAULT_FRU,
    DEVICE_BUSY,
    GET_FRU_AREA_INFO,
    NETFN_STORAGE,
    READ_FRU_DATA,
    FruReader,
)
from apps.bmc.rmcp.parts import BUSY_CODES
from apps.bmc.rmcp.wire import Message
from apps.bmc.values import (
    ChassisStatus,
    DeviceId,
    FruRecord,
    PowerAction,
    Receipt,
    SessionFacts,
)


class Carrier(Protocol):
    """What brings commands to the BMC and answers back."""

    @property
    def login_number(self) -> int:
        """As `BmcSession.login_number`."""

    async def read(self, netfn: int, command: int, data: bytes) -> Message:
        """Ask; re-sent on silence."""

    async def send_once(
        self, netfn: int, command: int, data: bytes, not_after: float
    ) -> tuple[Message, Receipt]:
        """Act; one datagram."""

    def facts(self) -> SessionFacts:
        """What the open session got."""


def accepted(message: Message) -> bytes:
    """The data of an answer with completion code 00.

    :raises BmcBusy, BmcRefused: any other code; the command did not run.
    """
    code = message.code or 0
    if not code:
        return message.data
    error = BmcBusy if code in BUSY_CODES else BmcRefused
    raise error(completion_code=code, command=message.command)


class IpmiBmc(BmcSession):
    """One use of a BMC; valid inside its `async with` only."""

    __slots__ = ("_carrier",)

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    @property
    def login_number(self) -> int:
        return self._carrier.login_number

    async def chassis_status(self) -> ChassisStatus:
        message = await self._carrier.read(NETFN_CHASSIS, GET_CHASSIS_STATUS, b"")
        return decode_chassis_status(accepted(message))

    async def chassis_control(self, action: PowerAction, *, not_after: float) -> Receipt:
        message, receipt = await self._carrier.send_once(
            NETFN_CHASSIS, CHASSIS_CONTROL_COMMAND, bytes((CHASSIS_CONTROL[action],)), not_after
        )
        accepted(message)
        return receipt

    async def identify(self, seconds: int) -> None:
        data = identify_data(seconds)
        accepted(await self._carrier.read(NETFN_CHASSIS, CHASSIS_IDENTIFY, data))

    async def device_id(self) -> DeviceId:
        message = await self._carrier.read(NETFN_APP, GET_DEVICE_ID, b"")
        return decode_device_id(accepted(message))

    async def system_guid(self) -> str:
        message = await self._carrier.read(NETFN_APP, GET_SYSTEM_GUID, b"")
        return decode_guid(accepted(message))

    async def fru(self) -> FruRecord:
        message = await self._carrier.read(NETFN_STORAGE, GET_FRU_AREA_INFO, DEFAULT_FRU)
        reader = FruReader(accepted(message))
        while (request := reader.request()) is not None:
            message = await self._carrier.read(NETFN_STORAGE, READ_FRU_DATA, request)
            if message.code == DEVICE_BUSY:
                raise BmcBusy(completion_code=DEVICE_BUSY, command=READ_FRU_DATA)
            if not reader.shrink(message.code):
                reader.take(accepted(message))
        return reader.record()

    def facts(self) -> SessionFacts:
        return self._carrier.facts()
