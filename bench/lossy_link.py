"""A UDP link that loses datagrams: 127.2.x.y passes to 127.1.x.y and back, each with a probability.

usage: python -m bench.lossy_link COUNT LOSS SEED
"""

from __future__ import annotations

import asyncio
import random
import sys
from functools import partial
from typing import Any

PORT = 623


class _Front(asyncio.DatagramProtocol):
    """Listens for one BMC; keeps one back socket for each client port."""

    def __init__(self, target: str, loss: float, dice: random.Random) -> None:
        self.target, self.loss, self.dice = target, loss, dice
        self.backs: dict[Any, asyncio.Future[Any]] = {}
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.dice.random() < self.loss:
            return
        if addr not in self.backs:
            loop = asyncio.get_running_loop()
            opening = loop.create_datagram_endpoint(
                lambda: _Back(self, addr), remote_addr=(self.target, PORT)
            )
            self.backs[addr] = asyncio.ensure_future(opening)
        self.backs[addr].add_done_callback(lambda done: done.result()[0].sendto(data))


def _same(front: _Front) -> _Front:
    return front


class _Back(asyncio.DatagramProtocol):
    def __init__(self, front: _Front, client: Any) -> None:
        self.front, self.client = front, client

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.front.dice.random() >= self.front.loss:
            self.front.transport.sendto(data, self.client)


async def main() -> None:
    count, loss, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(seed)
    loop = asyncio.get_running_loop()
    for index in range(count):
        tail = f"{index // 250}.{index % 250 + 1}"
        front = _Front(f"127.1.{tail}", loss, dice)
        await loop.create_datagram_endpoint(
            partial(_same, front), local_addr=(f"127.2.{tail}", PORT)
        )
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
