from __future__ import annotations

from dataclasses import replace

import pytest

from apps.bmc import DeviceId, FruRecord, Reported, report, serials_of
from apps.bmc.vendors import FIRMWARE_MAKERS, VENDORS, is_filler

DEVICE = DeviceId(0x20, 1, "6.10", "2.0", 674, 256)
FRU = FruRecord(
    manufacturer="DELL",
    product="PowerEdge R740",
    serial="ABC1234",
    chassis_serial="ABC1234",
    board_manufacturer="DELL",
    board_product="0WGD1Y",
    board_serial="CN7475",
)


def test_the_number_names_the_vendor_and_the_fru_the_model() -> None:
    assert report(DEVICE, FRU) == Reported("Dell", "PowerEdge R740", "6.10", "ABC1234")


def test_without_a_fru_the_rest_is_told() -> None:
    assert report(DEVICE, None) == Reported("Dell", "", "6.10", "")


def test_a_maker_of_firmware_is_named_only_where_nobody_else_is() -> None:
    ami = replace(DEVICE, manufacturer_id=20974)
    assert report(ami, replace(FRU, manufacturer="GIGABYTE")).vendor == "GIGABYTE"
    assert report(ami, None).vendor == "AMI"
    assert not FIRMWARE_MAKERS.keys() & VENDORS.keys()


@pytest.mark.parametrize(("number", "vendor"), [(0, ""), (0xFFFFF, ""), (4711, "IANA 4711")])
def test_an_unknown_number_is_shown_as_it_is(number: int, vendor: str) -> None:
    assert report(replace(DEVICE, manufacturer_id=number), None).vendor == vendor


def test_the_board_speaks_where_the_product_was_not_filled_in() -> None:
    fru = replace(FRU, product="To be filled by O.E.M.", serial="0123456789", chassis_serial="")
    told = report(DEVICE, fru)
    assert (told.product, told.serial) == ("0WGD1Y", "CN7475")
    assert serials_of(fru) == ["CN7475"]


@pytest.mark.parametrize(
    "text", ["", "N/A", "Default string", "xxxxxxxx", "0000", "System Serial Number"]
)
def test_fillers_are_no_serial_numbers(text: str) -> None:
    assert is_filler(text)
    assert serials_of(FruRecord(serial=text)) == []


def test_everything_is_bounded_and_visible() -> None:
    told = report(
        replace(DEVICE, manufacturer_id=0, firmware="9" * 99),
        FruRecord(manufacturer="v" * 99 + "!", product="\u202ep", serial="s\n1"),
    )
    assert (len(told.vendor), len(told.firmware)) == (64, 32)
    assert (told.product, told.serial) == ("p", "s 1")
