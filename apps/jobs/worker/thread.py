"""A runner in a thread of its own: for the Celery bootstep, the embedded portal, and tests."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import structlog

from apps.jobs.worker.runner import Runner

log = structlog.get_logger(__name__)


class RunnerThread:
    """`start()` returns when the runner is up; `stop()` when it has drained and logged out.

    :param worker_name: unique among running bmc workers.
    :param site_name: serve the BMCs of this site only; empty: of every site.
    :param options: as `Runner` takes them.
    """

    def __init__(self, worker_name: str, site_name: str = "", **options: Any) -> None:
        self.runner = Runner(worker_name, site_name, **options)
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"runner-{worker_name}", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """:raises Exception: what kept the runner from starting."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def wake(self) -> None:
        """Look for due targets now; from any thread."""
        self.runner.ring()

    def stop(self, timeout: float = 60.0) -> bool:
        """Drain; False when that took longer than the timeout."""
        self.runner.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self.runner.run(self._ready.set))
        except BaseException as error:  # noqa: BLE001  handed to `start`, or told in the log
            self._error = error
            if self._ready.is_set():
                log.critical("runner_died", worker=self.runner.me, exc_info=error)
        finally:
            self._ready.set()
