"""What 1,000 simulated BMCs cost in one process: seconds to start and memory, as JSON."""

from __future__ import annotations

import asyncio
import json
import resource
import time

from apps.simulator.fleet import Fleet

COUNT = 1000


async def main() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    async with Fleet.start(count=COUNT, network="127.11.0.0/16") as fleet:
        seconds = time.monotonic() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(json.dumps({"count": len(fleet), "start_seconds": seconds, "grown_mib": grown}))


if __name__ == "__main__":
    asyncio.run(main())
