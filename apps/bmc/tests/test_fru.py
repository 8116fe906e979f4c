"""The FRU inventory: what is asked for, and what may be believed of the answer."""

from __future__ import annotations

import unicodedata
from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyghmi.ipmi.fru import FRU

from apps.bmc import BmcProtocolError, FruRecord
from apps.bmc.ipmi import fru
from apps.bmc.ipmi.fru import FruReader, decode_fru
from apps.bmc.text import INVISIBLE, clean_text
from apps.simulator.fru import BadFru, fru_image
from apps.simulator.profiles import PROFILES

DELL = PROFILES["dell-idrac9"]
GOOD = fru_image(DELL, 7, BadFru.NONE)
RECORD = FruRecord(
    chassis_part_number="CH-1",
    chassis_serial="",
    board_manufacturer="DELL",
    board_product="PowerEdge R740 board",
    board_serial="BSIM000007",
    board_part_number="BP-1",
    manufacturer="DELL",
    product="PowerEdge R740",
    part_number="PN-0100",
    serial="SIM000007",
    asset_tag="ASSET-7",
)


def summed(data: bytes) -> bytes:
    return data + bytes((-sum(data) & 0xFF,))


def image_of(product_area: bytes) -> bytes:
    """An inventory with nothing but a product area: head and fields, without length and sum."""
    length = -(-(len(product_area) + 3) // 8)
    padding = bytes(length * 8 - len(product_area) - 3)
    area = summed(bytes((1, length)) + product_area + padding)
    return summed(bytes((1, 0, 0, 0, 1, 0, 0))) + area


def read_all(image: bytes, limit: int = 255, unit: int = 1, size: int | None = None) -> FruReader:
    """Answer as a BMC with a longest read, and refuse more with CA."""
    size = len(image) if size is None else size
    reader = FruReader(size.to_bytes(2, "little") + bytes((unit - 1,)))
    while (request := reader.request()) is not None:
        assert request[0] == 0
        at, count = int.from_bytes(request[1:3], "little") * unit, request[3] * unit
        if count > limit:
            assert reader.shrink(0xCA)
            continue
        piece = image[at : at + count]
        reader.take(bytes((len(piece) // unit,)) + piece)
    return reader


def test_every_text_has_its_place() -> None:
    assert decode_fru(GOOD) == RECORD


def test_a_foreign_decoder_reads_the_same() -> None:
    info = FRU(rawdata=bytearray(GOOD)).info
    assert (info["Manufacturer"], info["Product name"]) == (RECORD.manufacturer, RECORD.product)
    assert (info["Serial Number"], info["Asset Number"]) == (RECORD.serial, RECORD.asset_tag)
    assert info["Board serial number"] == RECORD.board_serial


def test_packed_texts_are_read_which_pyghmi_never_ends_to_do() -> None:
    record = decode_fru(fru_image(DELL, 7, BadFru.PACKED))
    assert (record.manufacturer, record.product) == ("DELL", "POWEREDGE R740")
    assert record.serial == "SIM000007"


@pytest.mark.parametrize(
    ("head", "raw", "language", "text"),
    [
        (0xC0, b"plain", 0, "plain"),
        (0xC0, b"caf\xe9", 25, "caf\xe9"),
        (0xC0, b"ends\xff\xff\x00", 0, "ends"),
        (0xC0, "中文".encode("utf-16-le"), 30, "中文"),
        (0xC0, b"\x2d", 30, "\ufffd"),
        (0x40, bytes((0x12, 0xAB, 0xCD)), 0, "12 -.:"),
        (0x80, bytes((0x29, 0xDC, 0xA6)), 0, "IPMI"),
        (0x00, bytes((0xDE, 0xAD)), 0, "dead"),
    ],
)
def test_every_type_of_text(head: int, raw: bytes, language: int, text: str) -> None:
    area = bytes((language, head | len(raw))) + raw + b"\xc1"
    if head | len(raw) == 0xC1:  # one byte of text looks like the end mark
        text = ""
    assert decode_fru(image_of(area)).manufacturer == text


def test_an_area_with_a_wrong_checksum_tells_nothing() -> None:
    record = decode_fru(fru_image(DELL, 7, BadFru.CHECKSUM))
    assert record.board_manufacturer == "DELL"
    assert (record.manufacturer, record.serial) == ("", "")


@pytest.mark.parametrize("image", [b"\x01", bytes(8), b"\xff" * 64, b"\x01" + bytes(7)])
def test_without_a_good_header_nothing_is_believed(image: bytes) -> None:
    with pytest.raises(BmcProtocolError) as caught:
        decode_fru(image)
    assert caught.value.params["reason"] == "fru_header"


def test_an_empty_inventory_has_no_texts() -> None:
    assert decode_fru(b"") == FruRecord()
    assert read_all(b"").record() == FruRecord()


def test_an_area_that_says_it_is_longer_than_the_rest_is_not_read() -> None:
    image = bytearray(GOOD)
    image[image[4] * 8 + 1] = 0xFF
    assert decode_fru(bytes(image)).manufacturer == ""


# ---------------------------------------------------------------- reading piece by piece


@pytest.mark.parametrize("limit", [8, 9, 16, 32, 63, 255])
def test_the_pieces_shrink_until_the_bmc_gives_them(limit: int) -> None:
    assert read_all(GOOD, limit).record() == RECORD


def test_a_device_read_by_words_is_asked_in_words() -> None:
    assert read_all(GOOD, unit=2).record() == RECORD


def test_what_lies_behind_the_areas_is_not_asked_for() -> None:
    tail = GOOD + b"\xa5" * 60_000
    reader = read_all(tail, size=60_000)
    assert reader.record() == RECORD
    assert len(reader._image) <= len(GOOD) + fru.FIRST_CHUNK


@pytest.mark.parametrize("code", sorted(fru.FINAL_CODES))
def test_a_refusal_that_is_not_about_the_length_is_final(code: int) -> None:
    reader = FruReader(b"\x00\x02\x00")
    assert not reader.shrink(code)


@pytest.mark.parametrize("code", [0xC4, 0xC7, 0xC8, 0xC9, 0xCA, 0xCC, 0xFF, 0x82])
def test_other_refusals_make_it_ask_for_less_and_end(code: int) -> None:
    reader = FruReader(b"\x00\x02\x00")
    counts = []
    while reader.shrink(code):
        request = reader.request()
        assert request is not None
        counts.append(request[3])
    assert counts == [32, 16, 8]
    assert not reader.shrink(0)


def test_one_byte_at_a_time_ends_with_an_error() -> None:
    image = bytearray(image_of(b"\0" + b"\xc1"))
    reader = FruReader(b"\xff\xff\x00")
    header = summed(bytes((1, 0, 0xFF, 0xFF, 0xFF, 0, 0)))
    for _ in range(fru.MAX_READS):
        request = reader.request()
        assert request is not None
        at = int.from_bytes(request[1:3], "little")
        byte = header[at] if at < len(header) else image[at % len(image)]
        reader.take(bytes((1, byte)))
    with pytest.raises(BmcProtocolError) as caught:
        reader.request()
    assert caught.value.params["reason"] == "fru_reads"
    assert reader._reads == fru.MAX_READS


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00abc", b"\x05"])
def test_a_piece_without_a_byte_is_an_error(data: bytes) -> None:
    reader = FruReader(b"\x00\x02\x00")
    reader.request()
    with pytest.raises(BmcProtocolError):
        reader.take(data)


def test_a_piece_that_is_longer_than_asked_for_is_cut() -> None:
    reader = FruReader(b"\x10\x00\x00")
    reader.request()
    reader.take(b"\xff" + GOOD[:200])
    assert len(reader._image) == 16


def test_short_area_info_is_an_error() -> None:
    with pytest.raises(BmcProtocolError):
        FruReader(b"\x00\x02")


# ---------------------------------------------------------------- anything at all


def check(record: FruRecord) -> None:
    for text in astuple(record):
        assert len(text) <= fru.TEXT_LENGTH
        assert not any(unicodedata.category(character) in INVISIBLE for character in text)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_an_inventory_or_a_protocol_error(image: bytes) -> None:
    try:
        check(decode_fru(image))
    except BmcProtocolError:
        pass


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_area_behind_a_good_header_is_read_within_bounds(data: st.DataObject) -> None:
    offsets = data.draw(st.tuples(*[st.integers(0, 60)] * 3))
    body = bytearray(data.draw(st.binary(max_size=500)))
    image = bytearray(summed(bytes((1, 0, *offsets, 0, 0))) + body)
    for offset in offsets:  # make the checksums right, so that the fields are looked at
        at = offset * 8
        length = image[at + 1] * 8 if offset and at + 2 <= len(image) else 0
        if length and at + length <= len(image):
            image[at] = 1
            image[at + length - 1] = -sum(image[at : at + length - 1]) & 0xFF
    try:
        check(decode_fru(bytes(image)))
    except BmcProtocolError:
        pass


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=8), st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=80))))
def test_reading_ends_whatever_is_answered(info: bytes, answers: list[Any]) -> None:
    try:
        reader = FruReader(info)
        for code, data in [*answers, (0, b"")]:
            if reader.request() is None:
                check(reader.record())
                break
            if not reader.shrink(code):
                reader.take(data)
    except BmcProtocolError:
        pass
    else:
        assert len(reader._image) <= fru.MAX_BYTES


@given(st.text(max_size=200), st.integers(0, 64))
def test_clean_texts_are_visible_and_bounded(text: str, most: int) -> None:
    cleaned = clean_text(text, most)
    assert len(cleaned) <= most
    assert cleaned == cleaned.strip()
    assert not any(unicodedata.category(character) in INVISIBLE for character in cleaned)
    assert clean_text(cleaned, most) == cleaned


def test_direction_marks_and_escapes_are_taken_out() -> None:
    assert clean_text("PowerEdge\u202e\x1b[31m\tR740\x00 \u200b", 64) == "PowerEdge[31m R740"
