"""The whole portal in one process: web server, queue worker with the BMC runner, and beat.

For the demo, small sites and development. Production runs the same parts as separate processes.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import uvicorn
from celery import beat
from django.conf import settings

from bmcportal.celery import app

log = structlog.get_logger(__name__)

CELERY_THREADS = 4


class Portal:
    """Start the worker and beat in threads, then serve until told to stop."""

    def __init__(self, *, bind: str, port: int) -> None:
        self._server = _Server(
            uvicorn.Config(
                "bmcportal.asgi:application",
                host=bind,
                port=port,
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=5,
                ws_max_size=64 * 1024,
                server_header=False,
                forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS,
            )
        )
        self._worker: Any = None
        self._beat: Any = None

    def run(self) -> None:
        """Block until SIGINT or SIGTERM, then let running work end. Again: leave at once."""
        # Files are served from where they are, but WhiteNoise wants the folder to exist.
        Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
        app.loader.import_default_modules()
        app.finalize()
        self._worker = app.WorkController(
            app=app,
            pool_cls="threads",
            concurrency=CELERY_THREADS,
            queues=["default", "bmc"],
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._beat = beat.Service(app, scheduler_cls=app.conf.beat_scheduler, max_interval=5)
        threading.Thread(target=self._worker.start, name="celery-worker", daemon=True).start()
        threading.Thread(
            target=lambda: self._beat.start(embedded_process=False), name="celery-beat", daemon=True
        ).start()
        try:
            self._server.run()
        finally:
            self._stop()

    def _stop(self) -> None:
        signal.signal(signal.SIGINT, _leave_at_once)
        self._beat.stop(wait=False)
        self._worker.stop()


class _Server(uvicorn.Server):
    """Ends without raising the signal again: the worker behind it has to log out of its BMCs."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            _leave_at_once(sig, frame)
        self.should_exit = True


def _leave_at_once(sig: int, frame: FrameType | None) -> None:
    os._exit(130)
