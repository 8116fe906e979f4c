"""The FRU inventory: how it is read piece by piece, and what stands in it.

IPMI 2.0 §34, and the Platform Management FRU Information Storage Definition 1.0 (FRU). Every
length and offset in it comes from the BMC; none is believed before it was compared with what is
there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apps.bmc.errors import BmcProtocolError
from apps.bmc.text import clean_text
from apps.bmc.values import FruRecord

NETFN_STORAGE: Final = 0x0A
GET_FRU_AREA_INFO: Final = 0x10
READ_FRU_DATA: Final = 0x11
DEFAULT_FRU: Final = bytes((0,))

MAX_BYTES: Final = 8 * 1024
MAX_READS: Final = 256
FIRST_CHUNK: Final = 64
"""Some BMCs do not answer larger reads at all."""
SMALLEST_CHUNK: Final = 8
TEXT_LENGTH: Final = 64

FINAL_CODES: Final = frozenset({0x81, 0xC0, 0xC1, 0xC3, 0xCB, 0xD4, 0xD5})
"""Busy, unknown, not present, not allowed. Any other refusal may be about the length: ipmi_sim and
real BMCs have many codes for it (C4, C7, C8, C9, CA, CC, FF)."""
DEVICE_BUSY: Final = 0x81

_HEADER: Final = 8
_END_OF_FIELDS: Final = 0xC1
_PADDING: Final = b"\xfe\xff\x00 "
"""What some BMCs fill texts up with, against the definition."""
_ENGLISH: Final = frozenset({0, 25})
_BCD_PLUS: Final = "0123456789 -.:,_"


class FruReader:
    """Asks for as much as the three areas need that say who this is, and for nothing behind them.

    `request()` gives the next Read FRU Data, or None at the end; `take` its answer.
    """

    def __init__(self, area_info: bytes) -> None:
        """:raises BmcProtocolError: too short for IPMI 2.0 §34.1."""
        if len(area_info) < 3:
            raise BmcProtocolError(reason="fru_info", length=len(area_info))
        self._size = min(int.from_bytes(area_info[:2], "little"), MAX_BYTES)
        self._unit = 2 if area_info[2] & 1 else 1
        self._image = b""
        self._chunk = FIRST_CHUNK
        self._reads = 0

    def request(self) -> bytes | None:
        """:raises BmcProtocolError: this is no FRU, or it comes in too many pieces."""
        at = len(self._image)
        if at >= min(_needed(self._image), self._size):
            return None
        if self._reads >= MAX_READS:
            raise BmcProtocolError(reason="fru_reads", length=at)
        self._reads += 1
        count = max(1, self._wanted // self._unit)
        return DEFAULT_FRU + (at // self._unit).to_bytes(2, "little") + bytes((count,))

    @property
    def _wanted(self) -> int:
        return min(self._chunk, self._size - len(self._image))

    def shrink(self, code: int | None) -> bool:
        """Ask for less from now on, if this completion code may mean that it was too much."""
        if not code or code in FINAL_CODES or self._chunk <= SMALLEST_CHUNK:
            return False
        self._chunk //= 2
        return True

    def take(self, data: bytes) -> None:
        """:raises BmcProtocolError: nothing came, so it would never end."""
        count = data[0] * self._unit if data else 0
        piece = data[1 : 1 + min(count, max(self._wanted, self._unit))]
        piece = piece[: len(piece) // self._unit * self._unit]
        if not piece:
            raise BmcProtocolError(reason="fru_data", length=len(data))
        self._image += piece

    def record(self) -> FruRecord:
        return decode_fru(self._image)


def _needed(image: bytes) -> int:
    """How many bytes of the image matter, as far as what is there tells; at most 4,080."""
    if len(image) < _HEADER:
        return _HEADER
    needed = _HEADER
    for at in _areas(image):
        length = image[at + 1] * 8 if len(image) >= at + 2 else 2
        needed = max(needed, at + length)
    return needed


def _areas(image: bytes) -> list[int]:
    """Where the chassis, board and product areas begin (FRU §8).

    :raises BmcProtocolError: no header of this format.
    """
    header = image[:_HEADER]
    if len(header) < _HEADER or header[0] & 0x0F != 1 or sum(header) & 0xFF:
        raise BmcProtocolError(reason="fru_header")
    return [offset * 8 for offset in header[2:5] if offset]


def decode_fru(image: bytes) -> FruRecord:
    """Read the texts; of an empty inventory, none.

    An area whose checksum is wrong tells nothing: half a serial number would be another machine.

    :raises BmcProtocolError: no header of this format.
    """
    if not image:
        return FruRecord()
    _areas(image)
    chassis = _texts(image, image[2] * 8, first=3, is_english=True)
    board = _texts(image, image[3] * 8, first=6)
    product = _texts(image, image[4] * 8, first=3)
    return FruRecord(
        chassis_part_number=next(chassis, ""),
        chassis_serial=next(chassis, ""),
        board_manufacturer=next(board, ""),
        board_product=next(board, ""),
        board_serial=next(board, ""),
        board_part_number=next(board, ""),
        manufacturer=next(product, ""),
        product=next(product, ""),
        part_number=next(product, ""),
        serial=_after_version(product),
        asset_tag=next(product, ""),
    )


def _after_version(product: Iterator[str]) -> str:
    next(product, "")
    return next(product, "")


def _texts(image: bytes, at: int, *, first: int, is_english: bool = False) -> Iterator[str]:
    """Give the texts of one area in order (FRU §10-13), up to its end mark."""
    length = image[at + 1] * 8 if at and len(image) >= at + 2 else 0
    area = image[at : at + length]
    if not length or len(area) < length or area[0] & 0x0F != 1 or sum(area) & 0xFF:
        return
    language = 0 if is_english else area[2]
    at, end = first, length - 1  # the last byte is the checksum
    while at < end and area[at] != _END_OF_FIELDS:
        count = area[at] & 0x3F
        raw = area[at + 1 : min(at + 1 + count, end)]
        yield clean_text(_text(area[at] >> 6, raw, language), TEXT_LENGTH)
        at += 1 + count


def _text(kind: int, raw: bytes, language: int) -> str:
    """Decode a field by its type (FRU §13)."""
    if kind == 0:
        return raw.hex()
    if kind == 1:
        return "".join(_BCD_PLUS[byte >> 4] + _BCD_PLUS[byte & 0x0F] for byte in raw)
    if kind == 2:
        return _six_bit(raw)
    if language in _ENGLISH:
        return raw.rstrip(_PADDING).decode("latin-1")
    return raw.decode("utf-16-le", "replace")


def _six_bit(raw: bytes) -> str:
    """Unpack 6-bit ASCII: the first character in the low bits; what is left over is padding."""
    bits = int.from_bytes(raw, "little")
    return "".join(chr(0x20 + (bits >> 6 * index & 0x3F)) for index in range(len(raw) * 8 // 6))
