"""Presence without a login."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from apps.bmc import BmcForbiddenAddress, Endpoint
from apps.bmc.probe import Prober, decode_capabilities
from apps.bmc.rmcp import wire
from apps.bmc.tests.peer import LOOPBACK

Answer = Callable[[wire.Message], list[bytes]]


def capabilities(request: wire.Message, data: bytes, code: int = 0, rq_seq: int = -1) -> bytes:
    number = request.rq_seq if rq_seq < 0 else rq_seq
    return wire.build_sessionless(wire.build_response(6, 0x38, code, data, number))


class Responder:
    """A socket that answers probes as a test says."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: []
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.endpoint = Endpoint(*self._socket.getsockname())
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        data, sender = self._socket.recvfrom(2048)
        self.asked += 1
        request = wire.parse_message(wire.parse_envelope(data).payload)
        assert request.data == b"\x8e\x04"
        for reply in self.answer(request):
            self._socket.sendto(reply, sender)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()


@pytest.fixture
async def responder() -> AsyncIterator[Responder]:
    responder = Responder()
    yield responder
    responder.close()


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    prober = Prober(LOOPBACK)
    yield prober
    prober.close()


async def test_a_bmc_tells_what_it_offers(prober: Prober, responder: Responder) -> None:
    responder.answer = lambda request: [capabilities(request, b"\x01\x97\x26\x03\x00\x00\x00\x00")]
    found = await prober.probe(responder.endpoint)
    assert found is not None
    assert (found.is_rmcp_plus, found.allows_null_user, found.kg_is_set) == (True, True, True)
    assert 0 < found.round_trip_seconds < 5
    assert responder.asked == 1


async def test_a_lost_question_is_asked_again(prober: Prober, responder: Responder) -> None:
    responder.answer = lambda request: (
        [capabilities(request, b"\x01\x97\x04\x03")] if responder.asked == 2 else []
    )
    found = await prober.probe(responder.endpoint, wait_seconds=0.1)
    assert found is not None
    assert not found.allows_null_user


async def test_silence_is_none(prober: Prober, responder: Responder) -> None:
    assert await prober.probe(responder.endpoint, wait_seconds=0.02) is None
    assert responder.asked == 2


async def test_noise_is_not_a_bmc(prober: Prober, responder: Responder) -> None:
    good = b"\x01\x97\x04\x03"
    responder.answer = lambda request: [
        b"",
        b"hello",
        wire.build_presence_pong(1),
        capabilities(request, good, code=0xC1),
        capabilities(request, good, rq_seq=request.rq_seq ^ 1),
        capabilities(request, good[:3]),
        wire.build_sessionless(wire.build_response(6, 0x01, 0, good, request.rq_seq)),
    ]
    assert await prober.probe(responder.endpoint, wait_seconds=0.05, rounds=1) is None
    assert prober.counters.dropped["session_id"] == 7


async def test_a_second_answer_changes_nothing(prober: Prober, responder: Responder) -> None:
    responder.answer = lambda request: [
        capabilities(request, b"\x01\x97\x04\x03"),
        capabilities(request, b"\x01\x17\x04\x00"),
    ]
    found = await prober.probe(responder.endpoint)
    assert found is not None
    assert found.is_rmcp_plus


async def test_an_unroutable_address_is_none(prober: Prober) -> None:
    assert await prober.probe(Endpoint("127.0.0.1", 0), rounds=1) is None


async def test_a_forbidden_address_is_not_asked(prober: Prober) -> None:
    with pytest.raises(BmcForbiddenAddress):
        await prober.probe(Endpoint("10.0.0.1"))
    assert prober.counters.datagrams_sent == 0


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x01\x17\x04\x03", (False, False, False)),
        (b"\x01\x97\x04\x01", (False, False, False)),
        (b"\x01\x97\x01\x02", (True, True, False)),
        (b"\x01\x97\x04", None),
    ],
)
def test_capabilities_are_decoded(data: bytes, found: tuple[bool, bool, bool] | None) -> None:
    assert decode_capabilities(data) == found
