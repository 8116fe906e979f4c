"""Sealing and opening, against hostile bytes."""

from __future__ import annotations

import hmac
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.bmc.rmcp.crypto import _HEAD, SUITES, Keys, Suite
from apps.bmc.rmcp.wire import WireError
from apps.bmc.tests.hostile import datagrams
from apps.bmc.values import CipherSuite

KEY = bytes(range(32))


@pytest.mark.parametrize("suite", SUITES.values())
@given(st.binary(max_size=300), st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_what_is_sealed_can_be_opened(
    suite: Suite, message: bytes, peer_id: int, sequence: int
) -> None:
    datagram = Keys(suite, KEY).seal(peer_id, sequence, message)
    assert Keys(suite, KEY).open(datagram) == (peer_id, sequence, message)


@pytest.mark.parametrize("suite", SUITES.values())
@given(data=datagrams)
def test_hostile_bytes_are_never_opened(suite: Suite, data: bytes) -> None:
    with pytest.raises(WireError):
        Keys(suite, KEY).open(data)


@pytest.mark.parametrize("suite", SUITES.values())
def test_any_flipped_bit_is_noticed(suite: Suite) -> None:
    keys = Keys(suite, KEY)
    datagram = keys.seal(1, 2, b"hello")
    for position in range(3, len(datagram)):
        broken = bytearray(datagram)
        broken[position] ^= 0x04
        with pytest.raises(WireError):
            keys.open(bytes(broken))


def signed(keys: Keys, body: bytes, length: int | None = None) -> bytes:
    """A datagram with a right signature over odd content, as a broken BMC may send."""
    head = _HEAD.pack(b"\x06\x00\xff\x07", 6, 0xC0, 1, 1, len(body) if length is None else length)
    content = (head + body)[4:] + b"\x00\x07"
    mac = hmac.digest(keys._k1, content, keys._digest)[: keys._mac_length]
    return head[:4] + content + mac


@pytest.mark.parametrize("size", [0, 15, 16, 17, 31, 33])
def test_an_authentic_payload_of_odd_length_is_refused(size: int) -> None:
    keys = Keys(SUITES[CipherSuite.SHA1], KEY)
    with pytest.raises(WireError):
        keys.open(signed(keys, bytes(size)))


def test_an_authentic_length_beyond_the_end_is_refused() -> None:
    keys = Keys(SUITES[CipherSuite.SHA1], KEY)
    with pytest.raises(WireError, match="truncated"):
        keys.open(signed(keys, bytes(32), 64))


def test_authentic_but_random_padding_never_gives_more_than_wire_errors() -> None:
    keys, refused = Keys(SUITES[CipherSuite.SHA256], KEY), 0
    for _ in range(300):
        try:
            keys.open(signed(keys, os.urandom(32)))
        except WireError:
            refused += 1
    assert refused > 200


def test_keys_do_not_show_themselves() -> None:
    assert repr(Keys(SUITES[CipherSuite.SHA1], KEY)) == "<Keys sha1>"
