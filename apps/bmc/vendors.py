"""Who made it: manufacturer numbers of Get Device ID, and what BMC and FRU say together.

The numbers are IANA's private enterprise numbers (https://www.iana.org/assignments/enterprise-numbers),
as they stood in the copy that ipmitool 1.8.19 ships, unless a line says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apps.bmc.text import clean_text
from apps.bmc.values import DeviceId, FruRecord

VENDORS: Final[dict[int, str]] = {
    2: "IBM",
    11: "HPE",  # Hewlett-Packard; iLO has kept the number
    42: "Sun",
    343: "Intel",
    674: "Dell",
    2011: "Huawei",  # xFusion, too: the servers were Huawei's
    2623: "ASUS",
    7244: "Quanta",
    10368: "Fujitsu",
    10437: "Supermicro",  # Peppercon, maker of its early IPMI cards (FreeIPMI)
    10876: "Supermicro",
    15370: "Gigabyte",
    19046: "Lenovo",
    20301: "IBM",  # System x
    20569: "Inventec",
    37945: "Inspur",
    47196: "HPE",
    47488: "Supermicro",  # not its number at IANA, but some boards say so (FreeIPMI)
    49622: "ASRock Rack",
    49769: "YADRO",
}
FIRMWARE_MAKERS: Final[dict[int, str]] = {20974: "AMI", 49871: "OpenBMC"}
"""They made the firmware, not the machine: what the FRU says about the maker goes first."""

_NO_NUMBERS: Final = frozenset({0, 0xFFFFF})
_FILLERS: Final = frozenset(
    {
        "", "none", "null", "n/a", "na", "unknown", "undefined", "not specified", "not available",
        "default string", "to be filled by o.e.m.", "system serial number", "chassis serial number",
        "base board serial number", "serial number", "123456789", "0123456789", "1234567890",
        "system manufacturer", "system product name", "manufacturer", "product name",
    }
)  # fmt: skip
"""What stands in fields that nobody filled in, in small letters."""

VENDOR_LENGTH: Final = 64
PRODUCT_LENGTH: Final = 64
FIRMWARE_LENGTH: Final = 32
SERIAL_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Reported:
    """Who a BMC says it is; empty: not told."""

    vendor: str = ""
    product: str = ""
    firmware: str = ""
    serial: str = ""


def is_filler(text: str) -> bool:
    """Say whether it stands for "nothing was entered here"."""
    return text.lower() in _FILLERS or len(set(text)) == 1


def serials_of(fru: FruRecord) -> list[str]:
    """Return the serial numbers of the machine, the system's first."""
    found = (fru.serial, fru.chassis_serial, fru.board_serial)
    return [serial for serial in found if not is_filler(serial)]


def serial_of(fru: FruRecord) -> str:
    """Return the serial number by which the machine is known, or nothing."""
    return clean_text(next(iter(serials_of(fru)), ""), SERIAL_LENGTH)


def report(device: DeviceId, fru: FruRecord | None) -> Reported:
    """Put together what Get Device ID and the FRU say; without a FRU, what is left."""
    fru = fru or FruRecord()
    number = device.manufacturer_id
    makers = [text for text in (fru.manufacturer, fru.board_manufacturer) if not is_filler(text)]
    models = [text for text in (fru.product, fru.board_product) if not is_filler(text)]
    told = makers[0] if makers else ""
    vendor = VENDORS.get(number) or told or FIRMWARE_MAKERS.get(number, "")
    if not vendor and number not in _NO_NUMBERS:
        vendor = f"IANA {number}"
    return Reported(
        vendor=clean_text(vendor, VENDOR_LENGTH),
        product=clean_text(models[0] if models else "", PRODUCT_LENGTH),
        firmware=clean_text(device.firmware, FIRMWARE_LENGTH),
        serial=serial_of(fru),
    )
