"""A fair gate with a bounded queue: used for one BMC (one at a time) and for all conversations."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import IntEnum

from apps.bmc.errors import BmcOverloaded


class Rank(IntEnum):
    """Who goes first; inside a rank the first come is the first served."""

    INTERACTIVE = 0
    CONTINUING = 1
    """Has a session in use already: it finishes before others begin."""
    NEW = 2
    SUSPECT = 3
    """The BMC did not answer last time: the healthy ones go first."""


class Hall:
    """All who wait in one pool, so that the queue has a limit and can be sent home."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiters: set[asyncio.Future[None]] = set()
        self.is_closed = False

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def admit(self) -> asyncio.Future[None]:
        """:raises BmcOverloaded: the queue is full or closed."""
        if self.is_closed:
            raise BmcOverloaded(reason="closing")
        if len(self._waiters) >= self._limit:
            raise BmcOverloaded(reason="queue_full")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        return waiter

    def discard(self, waiter: asyncio.Future[None]) -> None:
        self._waiters.discard(waiter)

    def close(self) -> None:
        """Send everybody home with BmcOverloaded."""
        self.is_closed = True
        for waiter in self._waiters:
            send_home(waiter, "closing")


def send_home(waiter: asyncio.Future[None], reason: str) -> None:
    if not waiter.done():
        waiter.set_exception(BmcOverloaded(reason=reason))


class Turnstile:
    """Lets `capacity` in at a time. Whoever leaves hands the place to the next in the queue."""

    __slots__ = ("_hall", "_queues", "capacity", "in_use")

    def __init__(self, hall: Hall, capacity: int) -> None:
        self._hall = hall
        self.capacity = capacity
        self.in_use = 0
        self._queues: list[deque[asyncio.Future[None]]] | None = None  # most gates never need them

    def __repr__(self) -> str:
        return f"<Turnstile [{self.in_use} of {self.capacity}]>"

    def try_enter(self) -> bool:
        if self.in_use >= self.capacity:
            return False
        self.in_use += 1
        return True

    def force(self) -> None:
        """Enter although it may be full: somebody is back who gave the place away."""
        self.in_use += 1

    async def enter(self, rank: Rank, seconds: float) -> None:
        """Wait for a place.

        :raises BmcOverloaded: too many wait already, or `seconds` passed, or the pool closes.
        """
        if self.try_enter():
            return
        waiter = self._hall.admit()
        if self._queues is None:
            self._queues = [deque() for _ in Rank]
        queue = self._queues[rank]
        queue.append(waiter)
        handle = asyncio.get_running_loop().call_later(
            seconds, send_home, waiter, "waited_too_long"
        )
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave()  # the place was ours already
            raise
        finally:
            handle.cancel()
            self._hall.discard(waiter)
            if waiter in queue:
                queue.remove(waiter)

    def leave(self) -> None:
        if self.in_use <= self.capacity:
            for queue in self._queues or ():
                while queue:
                    waiter = queue.popleft()
                    if not waiter.done():
                        waiter.set_result(None)
                        return
        self.in_use -= 1
