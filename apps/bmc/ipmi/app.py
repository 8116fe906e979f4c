"""Application commands: who the BMC is (IPMI 2.0 §20)."""

from __future__ import annotations

from typing import Final

from apps.bmc.errors import BmcProtocolError
from apps.bmc.values import DeviceId

NETFN_APP: Final = 0x06
GET_DEVICE_ID: Final = 0x01
GET_SYSTEM_GUID: Final = 0x37

_DEVICE_ID_BYTES: Final = 11
_GUID_BYTES: Final = 16


def decode_device_id(data: bytes) -> DeviceId:
    """IPMI 2.0 §20.1. :raises BmcProtocolError: too short."""
    if len(data) < _DEVICE_ID_BYTES:
        raise BmcProtocolError(reason="device_id", length=len(data))
    return DeviceId(
        device_id=data[0],
        device_revision=data[1] & 0x0F,
        firmware=f"{data[2] & 0x7F}.{data[3]:02x}",
        ipmi_version=f"{data[4] & 0x0F}.{data[4] >> 4}",
        manufacturer_id=int.from_bytes(data[6:9], "little") & 0xFFFFF,
        product_id=int.from_bytes(data[9:11], "little"),
    )


def decode_guid(data: bytes) -> str:
    """The 16 bytes in wire order as 32 hex digits. :raises BmcProtocolError: not 16 bytes."""
    if len(data) != _GUID_BYTES:
        raise BmcProtocolError(reason="guid", length=len(data))
    return data.hex()
