"""The sockets: bounded turns, both address families, both loops."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic

import pytest

from apps.bmc import BmcForbiddenAddress, PowerAction, PowerState
from apps.bmc.policy import DestinationPolicy
from apps.bmc.pool import SessionPool
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.transport import DATAGRAMS_PER_TURN, Transport, canonical_address
from apps.bmc.tests.peer import ADMIN, LOOPBACK, Peer, quick_config


class Ear:
    def __init__(self, mine: bytes = b"") -> None:
        self.heard: list[bytes] = []
        self.event = asyncio.Event()
        self._mine = mine

    def datagram(self, data: bytes) -> bool:
        if not data.startswith(self._mine):
            return False
        self.heard.append(data)
        self.event.set()
        return True


class CountingEar(Ear):
    """Notes how much it had heard when the loop came to something else."""

    after_the_first_turn = 0

    def datagram(self, data: bytes) -> bool:
        if not self.heard:
            asyncio.get_running_loop().call_soon(self._note)
        return super().datagram(data)

    def _note(self) -> None:
        self.after_the_first_turn = len(self.heard)


def remote(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    sock.settimeout(5)
    return sock


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_datagrams_go_out_and_come_back_to_their_listener(
    family: socket.AddressFamily,
) -> None:
    transport, counters = _transport()
    with remote(family) as bmc:
        target = bmc.getsockname()[:2]
        ear = Ear()
        transport.attach(target, ear)
        transport.send(target, b"hello")
        data, sender = bmc.recvfrom(100)
        bmc.sendto(data.upper(), sender)
        await asyncio.wait_for(ear.event.wait(), 5)
    assert ear.heard == [b"HELLO"]
    assert (counters.datagrams_sent, counters.datagrams_received) == (1, 1)
    transport.close()


async def test_strangers_long_datagrams_and_unclaimed_ones_are_dropped() -> None:
    transport, counters = _transport()
    with remote() as bmc, remote() as stranger:
        ear, other = Ear(b"mine"), Ear(b"other")
        target = bmc.getsockname()
        transport.attach(target, ear)
        transport.attach(target, other)
        transport.send(target, b"hello")
        _, sender = bmc.recvfrom(100)
        stranger.sendto(b"mine", sender)
        for data in (bytes(1025), b"nobody's", b"other", b"mine"):
            bmc.sendto(data, sender)
        await asyncio.wait_for(ear.event.wait(), 5)
    assert counters.dropped == {"stranger": 1, "length": 1, "session_id": 1}
    assert (ear.heard, other.heard) == ([b"mine"], [b"other"])
    transport.detach(target, ear)
    transport.detach(target, ear)
    transport.detach(target, other)
    transport.close()


async def test_one_turn_of_the_loop_takes_a_bounded_number() -> None:
    transport, counters = _transport()
    with remote() as bmc:
        ear = CountingEar()
        transport.attach(bmc.getsockname(), ear)
        transport.send(bmc.getsockname(), b"hello")
        _, sender = bmc.recvfrom(100)
        for number in range(DATAGRAMS_PER_TURN + 10):
            bmc.sendto(str(number).encode(), sender)
        async with asyncio.timeout(5):
            while len(ear.heard) < DATAGRAMS_PER_TURN + 10:
                await asyncio.sleep(0)
    assert ear.after_the_first_turn == DATAGRAMS_PER_TURN
    assert counters.dropped.total() == 0
    transport.close()


async def test_a_broken_socket_is_counted_and_does_not_raise() -> None:
    transport, counters = _transport()
    with remote() as sock:
        sock.close()
        transport._drain(sock)
    assert counters.dropped["socket"] == DATAGRAMS_PER_TURN
    transport.close()


async def test_the_policy_is_asked_for_every_datagram() -> None:
    transport = Transport(DestinationPolicy(), Counters())
    with pytest.raises(BmcForbiddenAddress):
        transport.send(("127.0.0.1", 623), b"x")
    transport.close()
    transport.close()


async def test_a_refused_send_is_counted_and_raised() -> None:
    transport, counters = _transport()
    with pytest.raises(OSError, match="too long"):
        transport.send(("127.0.0.1", 9), bytes(70_000))
    assert (counters.send_failures, counters.datagrams_sent) == (1, 0)
    transport.close()


async def test_the_window_follows_what_the_kernel_grants() -> None:
    transport, _ = _transport()
    sock = transport._open(socket.AF_INET)
    assert 8 <= transport.window <= 200
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    assert transport.window == 8
    transport.close()


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("FD00::00AB", "fd00::ab"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_addresses_are_spelled_as_the_kernel_does(text: str, spelling: str) -> None:
    assert canonical_address(text) == spelling


def test_the_engine_runs_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def work() -> None:
        pool = SessionPool(quick_config(), LOOPBACK)
        async with Peer() as peer, Peer(address="::1") as second:
            for bmc_side in (peer, second):
                bmc_side.lose_reply = lambda kind, count: kind == "rakp1" and count == 1
                async with pool.session(bmc_side.endpoint, ADMIN) as bmc:
                    assert await bmc.power_state() is PowerState.ON
                    await bmc.chassis_control(PowerAction.OFF, not_after=monotonic() + 5)
                    bmc_side.restart()
                    assert await bmc.power_state() is PowerState.OFF
                assert bmc_side.executed == [0]
            await pool.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


def _transport() -> tuple[Transport, Counters]:
    counters = Counters()
    return Transport(LOOPBACK, counters), counters
