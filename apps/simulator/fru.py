"""The FRU inventory of a simulated BMC: built as a real one, or as bad as a fault says."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from random import Random
from typing import Final

from apps.simulator.profiles import Profile

PRODUCT_VERSION: Final = "A00"
_NO_MORE: Final = 0xC1
_LATIN_1: Final = 0xC0
_SIX_BIT: Final = 0x80

MARKUP: Final = "<script>alert(1)</script>"
DIRECTION: Final = "\xad\x00\x1b[31m<img src=x>"
"""Control characters, an invisible hyphen, an escape sequence."""


class BadFru(StrEnum):
    """What is wrong with the inventory."""

    NONE = "none"
    MARKUP = "markup"
    """Every text is markup or full of invisible characters."""
    PACKED = "packed"
    """Every text is 6-bit packed; pyghmi decodes such a text for ever."""
    RANDOM = "random"
    """Random bytes behind a good header, and a size of 64 KiB."""
    CHECKSUM = "checksum"
    """The product area has a wrong checksum."""
    DRIBBLE = "dribble"
    """Each read gives one byte, whatever was asked for."""
    EMPTY = "empty"
    """Each read gives no byte at all, with completion code 00."""


def serial_of(index: int, *, wrong: bool = False) -> str:
    """Return the serial number: the same for the same index in every run."""
    return f"{'SWAP' if wrong else 'SIM'}{index:06d}"


def fru_image(profile: Profile, index: int, bad: BadFru, *, wrong_serial: bool = False) -> bytes:
    """Return the bytes that Read FRU Data shows; none where the model has no inventory."""
    if not profile.model:
        return b""
    serial = serial_of(index, wrong=wrong_serial)
    texts = [profile.maker, profile.model, f"PN-{profile.product_id:04X}", PRODUCT_VERSION, serial]
    board = [profile.maker, f"{profile.model} board", f"B{serial}", "BP-1"]
    if bad is BadFru.MARKUP:
        texts = [MARKUP, DIRECTION + MARKUP, MARKUP, MARKUP, f"{serial}{DIRECTION}"]
        board = [MARKUP] * 4
    kind = _SIX_BIT if bad is BadFru.PACKED else _LATIN_1
    chassis_area = _area(bytes((0x17,)), ["CH-1", ""], kind)
    board_area = _area(bytes((0, 0, 0, 0)), board, kind)
    product_area = _area(bytes((0,)), [*texts, f"ASSET-{index}"], kind)
    if bad is BadFru.CHECKSUM:
        product_area = product_area[:-1] + bytes((product_area[-1] ^ 0x55,))
    at = [1, 1 + len(chassis_area) // 8]
    at.append(at[1] + len(board_area) // 8)
    header = _summed(bytes((1, 0, *at, 0, 0)))
    if bad is BadFru.RANDOM:
        return header + Random(index).randbytes(0xFFFF - len(header))  # noqa: S311
    return header + chassis_area + board_area + product_area


def _area(head: bytes, texts: Sequence[str], kind: int) -> bytes:
    body = head + b"".join(_field(text, kind) for text in texts) + bytes((_NO_MORE,))
    length = -(-(len(body) + 3) // 8)
    return _summed(bytes((1, length)) + body + bytes(length * 8 - len(body) - 3))


def _field(text: str, kind: int) -> bytes:
    raw = _packed(text) if kind == _SIX_BIT else text.encode("latin-1")
    return bytes((kind | len(raw),)) + raw


def _packed(text: str) -> bytes:
    """Upper-case ASCII in 6 bits, the first character in the low ones."""
    codes = [(ord(character) - 0x20) & 0x3F for character in text.upper()]
    bits = sum(code << 6 * index for index, code in enumerate(codes))
    return bits.to_bytes(-(-len(codes) * 6 // 8), "little")


def _summed(data: bytes) -> bytes:
    return data + bytes((-sum(data) & 0xFF,))
