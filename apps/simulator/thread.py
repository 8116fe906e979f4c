"""A fleet in a thread of its own, for callers that have no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from apps.simulator.bmc import SimulatedBmc
from apps.simulator.fleet import Fleet

_P = ParamSpec("_P")
_T = TypeVar("_T")


class FleetThread:
    """`with FleetThread(count=3) as simulated: simulated.fleet[0].power`

    Takes what `Fleet.start` takes. Reading works from any thread; what changes something goes
    through `call`: `simulated.call(simulated.fleet[0].set_faults, silent=True)`.
    """

    fleet: Fleet

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="simulated-fleet", daemon=True)

    def __enter__(self) -> FleetThread:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits in __enter__)
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with Fleet.start(**self._options) as self.fleet:
            self._ready.set()
            await self._stop.wait()

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run `function` in the fleet's thread and return its result."""

        async def run() -> _T:
            return function(*args, **kwargs)

        if self._loop is None:
            raise RuntimeError("The fleet is not running.")
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=10)

    def wait_until(
        self,
        bmc: SimulatedBmc,
        predicate: Callable[[SimulatedBmc], bool],
        timeout_seconds: float = 5.0,
    ) -> None:
        """As `SimulatedBmc.wait_until`.

        :raises TimeoutError:
        """
        if self._loop is None:
            raise RuntimeError("The fleet is not running.")
        waiting = bmc.wait_until(predicate, timeout_seconds)
        asyncio.run_coroutine_threadsafe(waiting, self._loop).result(timeout_seconds + 10)
