"""What 25 % bad BMCs cost the healthy ones: 500 simulated BMCs, status of all at once, cold.

usage: python -m bench.bad_neighbours   (prints JSON: p95 of the healthy with and without bad ones)

10 % silent, 10 % answer after 9 s, 5 % garbage, as in promise B2; the fleet is another process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from typing import Any

from apps.bmc import BmcError, Credential, Endpoint, Privilege, Secret
from apps.bmc.client import DestinationPolicy, PoolConfig, SessionPool, Timing
from apps.simulator.profiles import PROFILES
from apps.simulator.thread import FleetThread

COUNT = 500
NETWORK = "127.12.0.0/16"
PASSWORD = "of the bench"


def serve(is_mixed: bool, line: Any) -> None:
    """Be the fleet until the other end says stop."""
    options: dict[str, Any] = {
        "count": COUNT, "network": NETWORK, "password": PASSWORD,
        "profiles": [PROFILES["dell-idrac9"]],
    }  # fmt: skip
    with FleetThread(**options) as simulated:
        bad = set()
        for bmc in simulated.fleet if is_mixed else ():
            place = bmc.index % 20
            faults: dict[int, dict[str, Any]] = {
                0: {"silent": True}, 1: {"silent": True}, 2: {"latency_seconds": 9.0},
                3: {"latency_seconds": 9.0}, 4: {"garbage": 1.0},
            }  # fmt: skip
            if place in faults:
                simulated.call(bmc.set_faults, **faults[place])
                bad.add(bmc.address)
        healthy = [bmc.address for bmc in simulated.fleet if bmc.address not in bad]
        everyone = [bmc.address for bmc in simulated.fleet]
        line.send((simulated.fleet.port, simulated.fleet.username, everyone, healthy))
        line.recv()


@contextlib.contextmanager
def fleet(is_mixed: bool) -> Iterator[tuple[int, str, list[str], list[str]]]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(is_mixed, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join()


async def healthy_p95(
    port: int, username: str, everyone: list[str], healthy: list[str], timing: Timing
) -> float:
    policy = DestinationPolicy((ipaddress.ip_network("127.0.0.0/8"),))
    pool = SessionPool(PoolConfig(timing=timing), policy)
    credential = Credential(username, Secret(PASSWORD), Privilege.OPERATOR, key="bench")
    started = time.monotonic()
    took: dict[str, float] = {}

    async def status(address: str) -> None:
        with contextlib.suppress(BmcError):
            async with pool.session(Endpoint(address, port), credential) as bmc:
                await bmc.power_state()
                took[address] = time.monotonic() - started

    await asyncio.gather(*map(status, everyone))
    await pool.aclose()
    times = [took.get(address, 60.0) for address in healthy]
    return statistics.quantiles(times, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--silence", type=float, default=Timing().silence_seconds)
    options = parser.parse_args()
    timing = Timing(silence_seconds=options.silence)
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(options.rounds):
        for is_mixed in found:
            with fleet(is_mixed) as given:
                found[is_mixed].append(asyncio.run(healthy_p95(*given, timing)))
    alone, mixed = statistics.median(found[False]), statistics.median(found[True])
    print(json.dumps({"alone": alone, "mixed": mixed, "ratio": mixed / alone}))


if __name__ == "__main__":
    main()
