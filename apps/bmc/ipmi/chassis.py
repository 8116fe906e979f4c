"""Chassis commands and their decoders (IPMI 2.0 §28)."""

from __future__ import annotations

from typing import Final

from apps.bmc.errors import BmcProtocolError
from apps.bmc.values import ChassisStatus, PowerAction, PowerState

NETFN_CHASSIS: Final = 0x00
GET_CHASSIS_STATUS: Final = 0x01
CHASSIS_CONTROL_COMMAND: Final = 0x02
CHASSIS_IDENTIFY: Final = 0x04

CHASSIS_CONTROL: Final[dict[PowerAction, int]] = {
    PowerAction.OFF: 0,
    PowerAction.ON: 1,
    PowerAction.CYCLE: 2,
    PowerAction.RESET: 3,
    PowerAction.NMI: 4,
    PowerAction.SOFT_OFF: 5,
}
"""IPMI 2.0 §28.3, table 28-4."""

MAX_IDENTIFY_SECONDS: Final = 255

_POWER_ON: Final = 0x01
_POWER_FAULTS: Final = 0x18  # main power fault, or the control of it failed
_LAST_BY_COMMAND: Final = 0x10
_IDENTIFY_SUPPORTED: Final = 0x40
_IDENTIFY_STATE: Final = 0x30


def identify_data(seconds: int) -> bytes:
    """:raises ValueError: not 0..255."""
    if not 0 <= seconds <= MAX_IDENTIFY_SECONDS:
        raise ValueError("identify takes 0 to 255 seconds")
    return bytes((seconds,))


def decode_chassis_status(data: bytes) -> ChassisStatus:
    """:raises BmcProtocolError: shorter than IPMI 2.0 §28.2 allows."""
    if len(data) < 3:
        raise BmcProtocolError(reason="chassis_status", length=len(data))
    power, last_event, misc = data[0], data[1], data[2]
    return ChassisStatus(
        power=PowerState.ON if power & _POWER_ON else PowerState.OFF,
        last_restart_by_command=bool(last_event & _LAST_BY_COMMAND),
        power_fault=bool(power & _POWER_FAULTS),
        identify_on=bool(misc & _IDENTIFY_STATE) if misc & _IDENTIFY_SUPPORTED else None,
    )
