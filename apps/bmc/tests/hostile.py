"""Hostile bytes for parsers and sessions: random ones, and proper datagrams with changes."""

from __future__ import annotations

import os
import random

from hypothesis import strategies as st

from apps.bmc.rmcp import wire
from apps.bmc.rmcp.crypto import SUITES, Keys
from apps.bmc.values import CipherSuite

SUITE = SUITES[CipherSuite.SHA256]


def proper_datagrams() -> list[bytes]:
    """One of every kind that a BMC may send."""
    keys = Keys(SUITE, os.urandom(32))
    answer = wire.build_response(0, 1, 0, b"\x01\x00\x00", 1)
    return [
        wire.build_presence_pong(1),
        wire.build_sessionless(answer),
        wire.build_open_response(wire.OpenResponse(1, 0, 0, 2, 3, SUITE.algorithms)),
        wire.build_open_response(wire.OpenResponse(1, 0x11, 0, 2, 0, (0, 0, 0))),
        wire.build_rakp2(wire.Rakp2(1, 0, 2, bytes(16), bytes(16), bytes(32))),
        wire.build_rakp2(wire.Rakp2(1, 0x0D, 2, b"", b"", b"")),
        wire.build_rakp4(wire.Rakp4(1, 0, 2, bytes(16))),
        keys.seal(2, 1, answer),
    ]


def mutate(datagram: bytes, source: random.Random) -> bytes:
    """Cut, extend or flip."""
    data = bytearray(datagram)
    for _ in range(source.randint(1, 4)):
        kind = source.randint(0, 3)
        if kind == 0 and data:
            data[source.randrange(len(data))] = source.randint(0, 255)
        elif kind == 1 and data:
            del data[source.randrange(len(data)) :]
        elif kind == 2:
            data += source.randbytes(source.randint(1, 40))
        elif data:
            data[source.randrange(len(data))] ^= 1 << source.randint(0, 7)
    return bytes(data)


_PROPER = proper_datagrams()
datagrams = st.one_of(
    st.binary(max_size=1100),
    st.builds(
        lambda base, seed: mutate(base, random.Random(seed)),
        st.sampled_from(_PROPER),
        st.integers(),
    ),
)
"""A hypothesis strategy."""
