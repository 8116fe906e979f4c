"""The portal's session engine as a command, so that time and memory are those of a process.

usage: python -m bench.client cold|open|heal|dead|memory ADDRESSES [--rounds K] [--port P]

Prints one JSON object. `cold`: login, status, logout of every BMC. `open`: log in, then K rounds of
status on open sessions. `memory`: resident memory of the open sessions. `dead`: seconds until an
address without a BMC is known to be unreachable. `heal`: waits for a line on stdin between two
reads on one open session (the caller restarts the BMC meanwhile).
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from apps.bmc import BmcError, CipherSuite, Credential, Endpoint, Privilege, Secret
from apps.bmc.client import DestinationPolicy, PoolConfig, SessionPool
from bench.ipmi_sim_fleet import PASSWORD, USERNAME

CREDENTIAL = Credential(USERNAME, Secret(PASSWORD), Privilege.ADMINISTRATOR, key="bench")


class Client:
    def __init__(self, addresses: Iterable[str], port: int, pool_size: int) -> None:
        networks = (ipaddress.ip_network("127.0.0.0/8"),)
        config = PoolConfig(pool_size=pool_size, max_sessions=5000)
        self.pool = SessionPool(config, DestinationPolicy(networks))
        # Both clients know the suite beforehand: ipmipower is told 3 on its command line.
        self.endpoints = [Endpoint(a, port, (CipherSuite.SHA1,)) for a in addresses]

    async def status(self, endpoint: Endpoint) -> float | None:
        """Return the seconds it took, or None when it failed."""
        started = time.monotonic()
        try:
            async with self.pool.session(endpoint, CREDENTIAL) as bmc:
                await bmc.power_state()
        except BmcError:
            return None
        return time.monotonic() - started

    async def status_of_all(self) -> list[float | None]:
        return await asyncio.gather(*map(self.status, self.endpoints))


async def cold(client: Client, rounds: int) -> dict[str, Any]:
    started = time.monotonic()
    times = await client.status_of_all()
    seconds = time.monotonic() - started
    await client.pool.aclose()
    return {"answered": sum(t is not None for t in times), "status_seconds": seconds}


async def opened(client: Client, rounds: int) -> dict[str, Any]:
    answered = sum(t is not None for t in await client.status_of_all())
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.monotonic(), time.process_time()
        await client.status_of_all()
        walls.append(time.monotonic() - wall)
        cpus.append(time.process_time() - cpu)
    await client.pool.aclose()
    return {
        "answered": answered,
        "round_seconds": statistics.median(walls),
        "round_cpu_seconds": statistics.median(cpus),
    }


async def memory(client: Client, rounds: int) -> dict[str, Any]:
    before = _resident_kib()
    answered = sum(t is not None for t in await client.status_of_all())
    grown = _resident_kib() - before
    await client.pool.aclose()
    return {"answered": answered, "grown_mib": grown / 1024, "whole_mib": _resident_kib() / 1024}


async def dead(client: Client, rounds: int) -> dict[str, Any]:
    started = time.monotonic()
    answered = await client.status(client.endpoints[0])
    seconds = time.monotonic() - started
    await client.pool.aclose()
    return {"answered": int(answered is not None), "seconds": seconds}


async def heal(client: Client, rounds: int) -> dict[str, Any]:
    first = await client.status(client.endpoints[0])
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started = time.monotonic()
    second = None
    while second is None and time.monotonic() - started < 30:
        second = await client.status(client.endpoints[0])
    seconds = time.monotonic() - started
    await client.pool.aclose()
    return {"answered": int(first is not None) + int(second is not None), "seconds": seconds}


def _resident_kib() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


MODES: dict[str, Callable[[Client, int], Awaitable[dict[str, Any]]]] = {
    "cold": cold, "open": opened, "memory": memory, "dead": dead, "heal": heal,
}  # fmt: skip


async def run(options: argparse.Namespace) -> dict[str, Any]:
    client = Client(options.addresses.split(","), options.port, options.pool_size)
    wall, cpu = time.monotonic(), time.process_time()
    result = await MODES[options.mode](client, options.rounds)
    return {
        **result,
        "wall": time.monotonic() - wall,
        "cpu": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("addresses")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, default=623)
    parser.add_argument("--pool-size", type=int, default=50)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(run(options))), flush=True)


if __name__ == "__main__":
    main()
