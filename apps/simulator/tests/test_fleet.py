from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from pathlib import Path

import pytest
import uvloop

from apps.bmc.rmcp import wire
from apps.bmc.values import PowerState
from apps.simulator.errors import SimulatorError
from apps.simulator.fleet import Fleet, fleet_addresses
from apps.simulator.sessions import SimulatedUser
from apps.simulator.tests.scripted import RESET, logged_in, scripted
from apps.simulator.thread import FleetThread

log = logging.getLogger(__name__)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_guids_are_the_same_in_every_run_and_different_for_each_bmc() -> None:
    async with Fleet.start(count=3) as first:
        guids = [bmc.guid for bmc in first]
    async with Fleet.start(count=3) as second:
        assert [bmc.guid for bmc in second] == guids
    assert len(set(guids)) == 3


async def test_swapped_machines_answer_at_each_others_address() -> None:
    async with Fleet.start(count=2) as fleet:
        first, second = fleet[0], fleet[1]
        guid, addresses = first.guid, (first.address, second.address)
        fleet.swap(0, 1)
        assert (first.address, second.address) == addresses[::-1]
        assert fleet[addresses[1]].guid == guid
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            await loop.sock_sendto(sock, b"anything", (addresses[1], fleet.port))
            await first.wait_until(lambda bmc: bmc.counters.received == 1)
        finally:
            sock.close()
        assert second.counters.received == 0


async def test_a_generated_password_is_new_each_time() -> None:
    async with Fleet.start() as first, Fleet.start(network="127.13.0.0/24") as second:
        assert first.password != second.password
        assert first.password == first[0].password
        assert first.password not in repr(first[0]) + json.dumps(first[0].describe())


async def test_bmcs_are_found_by_index_and_address(fleet: Fleet) -> None:
    assert fleet[fleet[2].address] is fleet[2]
    assert len({bmc.port for bmc in fleet}) == 1
    for which in (3, -1, "127.9.9.9"):
        with pytest.raises(KeyError):
            fleet[which]


async def test_profiles_and_power_are_dealt_out() -> None:
    def power(index: int) -> PowerState:
        return PowerState.OFF if index == 1 else PowerState.ON

    async with Fleet.start(count=3, power=power) as fleet:
        names = [bmc.profile.name for bmc in fleet]
        assert names == ["dell-idrac9", "supermicro-x11", "dell-idrac9"]
        assert [bmc.power for bmc in fleet] == ["on", "off", "on"]


@pytest.mark.parametrize(
    ("network", "count"),
    [
        ("10.0.0.0/24", 1),
        ("0.0.0.0/0", 1),
        ("126.0.0.0/7", 1),
        ("nonsense", 1),
        ("127.0.0.1/24", 1),
        ("127.1.0.0/30", 3),
        ("127.1.0.0/16", 0),
        ("127.0.0.0/8", 1_000_000),
    ],
)
def test_wrong_networks_are_refused_with_a_sentence(network: str, count: int) -> None:
    with pytest.raises(SimulatorError, match=r"\.$"):
        fleet_addresses(network, count)


async def test_a_port_in_use_is_told(fleet: Fleet) -> None:
    with pytest.raises(SimulatorError, match="Cannot listen"):
        async with Fleet.start(network="127.11.0.0/16", port=fleet.port):
            pass


@pytest.mark.parametrize(("name", "password"), [("", "x"), ("x" * 17, "x"), ("x", "y" * 21)])
def test_impossible_users_are_refused(name: str, password: str) -> None:
    with pytest.raises(SimulatorError):
        SimulatedUser(name, password)


async def test_the_log_file_has_every_datagram(tmp_path: Path) -> None:
    path = tmp_path / "datagrams.jsonl"
    async with Fleet.start(log_file=path) as fleet, logged_in(fleet[0]) as client:
        assert await client.control(RESET) == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 10
    assert lines[-2]["kind"] == "chassis_control reset"
    assert lines[-2]["bmc"] == "127.10.0.1"
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


async def test_a_flood_on_one_bmc_leaves_turns_to_the_others(fleet: Fleet) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for _ in range(100):
            flood.sendto(b"junk", (fleet[0].address, fleet.port))
        async with scripted(fleet[1]) as client:
            await client.ask(wire.build_presence_ping(1))
        await fleet[0].wait_until(lambda bmc: bmc.counters.dropped == 100)


async def test_waiting_for_what_never_comes_ends() -> None:
    async with Fleet.start() as fleet:
        with pytest.raises(TimeoutError):
            await fleet[0].wait_until(lambda bmc: bmc.executed_count() > 0, timeout_seconds=0.01)


def test_the_fleet_runs_on_uvloop_too() -> None:
    async def main() -> int:
        async with Fleet.start() as fleet, logged_in(fleet[0]) as client:
            fleet[0].set_faults(latency_seconds=0.01)
            await client.control(RESET)
            return fleet.executed_count()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == 1


def test_a_fleet_in_a_thread_serves_callers_without_a_loop() -> None:
    with FleetThread(count=2, network="127.14.0.0/16") as simulated:
        bmc = simulated.fleet[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(wire.build_presence_ping(3), (bmc.address, bmc.port))
            assert sock.recv(100) == wire.build_presence_pong(3)
        simulated.call(bmc.press_power, PowerState.OFF)
        simulated.wait_until(bmc, lambda bmc: bmc.power is PowerState.OFF)
        with pytest.raises(KeyError):
            simulated.call(simulated.fleet.__getitem__, 7)


def test_a_fleet_in_a_thread_tells_why_it_cannot_start() -> None:
    with pytest.raises(SimulatorError), FleetThread(network="10.0.0.0/8"):
        pass


async def test_a_thousand_bmcs_in_one_process_all_answer() -> None:
    before = resident_bytes()
    began = time.monotonic()
    async with Fleet.start(count=1000, network="127.15.0.0/16") as fleet:
        ready = time.monotonic() - began
        grown = resident_bytes() - before
        assert len({bmc.guid for bmc in fleet}) == 1000
        ping, pong = wire.build_presence_ping(9), wire.build_presence_pong(9)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            answered = set()
            for at in range(0, 1000, 100):
                for bmc in fleet.bmcs[at : at + 100]:
                    sock.sendto(ping, (bmc.address, bmc.port))
                for _ in range(100):
                    async with asyncio.timeout(5):
                        reply, peer = await loop.sock_recvfrom(sock, 100)
                    assert reply == pong
                    answered.add(peer[0])
        assert len(answered) == 1000
        for index in (0, 499, 999):
            async with logged_in(fleet[index]) as client:
                assert await client.is_on()
    log.info("1,000 BMCs: ready in %.2f s, %.0f MB", ready, grown / 1e6)
    assert grown < 60e6
    assert ready < 5
