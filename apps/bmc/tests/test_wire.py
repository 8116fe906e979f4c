"""The codec: what is built can be parsed, and hostile bytes give WireError and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.bmc.rmcp import wire
from apps.bmc.rmcp.wire import WireError
from apps.bmc.tests.hostile import datagrams

PARSERS: list[Callable[[bytes], object]] = [
    wire.parse_presence,
    wire.parse_message,
    wire.parse_envelope,
    wire.parse_open_request,
    wire.parse_open_response,
    wire.parse_rakp1,
    wire.parse_rakp2,
    wire.parse_rakp3,
    wire.parse_rakp4,
]


def payload(datagram: bytes) -> bytes:
    return wire.parse_envelope(datagram).payload


@pytest.mark.parametrize("parse", PARSERS)
@given(data=datagrams)
def test_hostile_bytes_give_a_wire_error_or_a_value(
    parse: Callable[[bytes], object], data: bytes
) -> None:
    with contextlib.suppress(WireError):
        assert parse(data) is not None
    with contextlib.suppress(WireError):
        assert parse(data[16:]) is not None


def test_presence_goes_both_ways() -> None:
    assert wire.parse_presence(wire.build_presence_ping(7)) == (False, 7, False)
    assert wire.parse_presence(wire.build_presence_pong(7)) == (True, 7, True)
    with pytest.raises(WireError):
        wire.parse_presence(wire.build_presence_pong(7)[:-1])


@given(
    st.sampled_from([0, 4, 6, 10, 44]),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.integers(0, 63),
    st.integers(0, 255),
)
def test_messages_go_both_ways(
    netfn: int, command: int, data: bytes, rq_seq: int, code: int
) -> None:
    request = wire.build_request(netfn, command, data, rq_seq)
    assert wire.parse_message(request) == (netfn, command, rq_seq, None, data)
    answer = wire.build_response(netfn, command, code, data, rq_seq)
    assert wire.parse_message(answer) == (netfn | 1, command, rq_seq, code, data)
    assert wire.parse_envelope(wire.build_sessionless(answer)).payload == answer


def test_a_flipped_bit_breaks_a_checksum() -> None:
    message = wire.build_response(0, 1, 0, b"\x01\x00\x00", 5)
    for position in range(len(message)):
        broken = bytearray(message)
        broken[position] ^= 0x10
        with pytest.raises(WireError):
            wire.parse_message(bytes(broken))


def test_an_answer_without_completion_code_is_refused() -> None:
    head = bytes((0x81, 0x1C))
    body = bytes((0x20, 0x04, 0x01))
    raw = head + bytes((-sum(head) & 255,)) + body + bytes((-sum(body) & 255,))
    with pytest.raises(WireError):
        wire.parse_message(raw)


def test_session_setup_goes_both_ways() -> None:
    open_request = wire.OpenRequest(1, 0, 0x11223344, (3, 4, 1))
    assert wire.parse_open_request(payload(wire.build_open_request(open_request))) == open_request
    for status in (0, 0x11):
        answer = wire.OpenResponse(
            1, status, 0, 2, 0 if status else 3, (0, 0, 0) if status else (3, 4, 1)
        )
        assert wire.parse_open_response(payload(wire.build_open_response(answer))) == answer
    rakp1 = wire.Rakp1(1, 2, bytes(16), 0x14, b"admin")
    assert wire.parse_rakp1(payload(wire.build_rakp1(rakp1))) == rakp1
    for rakp2 in (
        wire.Rakp2(1, 0, 2, bytes(16), bytes(16), bytes(32)),
        wire.Rakp2(1, 0x0D, 2, b"", b"", b""),
    ):
        assert wire.parse_rakp2(payload(wire.build_rakp2(rakp2))) == rakp2
    rakp3 = wire.Rakp3(1, 0, 2, bytes(32))
    assert wire.parse_rakp3(payload(wire.build_rakp3(rakp3))) == rakp3
    rakp4 = wire.Rakp4(1, 0, 2, bytes(16))
    assert wire.parse_rakp4(payload(wire.build_rakp4(rakp4))) == rakp4


def test_a_refusal_of_two_bytes_is_understood() -> None:
    """ipmi_sim refuses a suite with tag and status alone."""
    assert wire.parse_open_response(b"\x07\x04") == (7, 4, 0, 0, 0, (0, 0, 0))


@pytest.mark.parametrize(
    "blocks",
    [
        bytes((0, 0, 0, 8, 1, 0, 0, 0)) * 3,
        bytes((3, 0, 0, 8, 1, 0, 0, 0)) + bytes(16),
        bytes((0, 0, 0, 9, 1, 0, 0, 0)) + bytes(16),
    ],
)
def test_odd_algorithm_blocks_are_refused(blocks: bytes) -> None:
    with pytest.raises(WireError):
        wire.parse_open_request(bytes(8) + blocks)
    with pytest.raises(WireError):
        wire.parse_open_response(bytes(12) + blocks)


def test_an_algorithm_block_of_length_zero_means_none() -> None:
    blocks = b"".join(bytes((kind, 0, 0, 0, 9, 0, 0, 0)) for kind in range(3))
    assert wire.parse_open_request(bytes(8) + blocks).algorithms == (0, 0, 0)


@pytest.mark.parametrize("length", [17, 255])
def test_a_long_user_name_is_refused(length: int) -> None:
    with pytest.raises(WireError):
        wire.parse_rakp1(bytes(27) + bytes((length,)) + bytes(300))
