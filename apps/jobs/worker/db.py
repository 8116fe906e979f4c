"""Database calls beside the event loop: a few threads, each with its own connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from django.db import InterfaceError, OperationalError, connection, connections

T = TypeVar("T")

DATABASE_AWAY: Final = (OperationalError, InterfaceError)
"""The connection broke, a lock was not granted in time, or the server is not there: try later."""

_Call = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class DbThreads:
    """`await db.run(function, …)`. Broken connections are replaced, never kept."""

    def __init__(self, count: int, name: str) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-db-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Call it in a database thread.

        :raises OperationalError, InterfaceError: the database is away; nothing is known.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put((lambda: function(*args, **options), future))
        return await future

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Let the calls in the queue end, then close the connections."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join(timeout_seconds)

    def _work(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                self._answer(*call)
                self._tidy()
        finally:
            connections.close_all()

    def _answer(self, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as problem:  # noqa: BLE001  handed to the coroutine that waits
            error = problem
            if isinstance(problem, DATABASE_AWAY):
                with suppress(Exception):
                    connection.close()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            future.get_loop().call_soon_threadsafe(_settle, future, result, error)

    def _tidy(self) -> None:
        # SQLite keeps its connection; a pooled one goes back, so that few serve many threads.
        if connection.vendor != "sqlite" or connection.errors_occurred:
            with suppress(*DATABASE_AWAY):
                connection.close_if_unusable_or_obsolete()


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
