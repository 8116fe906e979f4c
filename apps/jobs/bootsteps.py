"""The runner as a part of a Celery worker: up before the first task, logged out after the last.

A worker that consumes the queue `bmc` is a bmc worker: `celery -A bmcportal worker -Q bmc
--pool=threads`. Others do not get a runner. `RunnerStep` is required by Celery's Pool: at the stop
the pool lets its tasks end first, then the runner drains.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from celery import Celery, bootsteps
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool
from celery.worker.components import Pool
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.jobs.services import queue_of
from apps.jobs.worker.thread import RunnerThread

log = structlog.get_logger(__name__)

BMC_QUEUE: Final = "bmc"
STOP_SECONDS: Final = 60.0


class RunnerStep(bootsteps.StartStopStep):
    """Give a bmc worker its runner, and its own queue for bells."""

    name = "runner"
    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self.runner: RunnerThread | None = None

    def include_if(self, worker: Any) -> bool:
        return BMC_QUEUE in worker.app.amqp.queues.consume_from

    def create(self, worker: Any) -> None:
        """:raises ImproperlyConfigured: a pool in which the runner could not live."""
        if not issubclass(worker.pool_cls, (ThreadPool, SoloPool)):
            raise ImproperlyConfigured(
                "A bmc worker holds its BMC sessions in one process: start it with --pool=threads "
                "(or take the queue bmc from its -Q list)."
            )
        worker.app.amqp.queues.select_add(queue_of(worker.hostname))

    def start(self, worker: Any) -> None:
        self.runner = RunnerThread(worker.hostname, settings.BMC_SITE)
        self.runner.start()

    def stop(self, worker: Any) -> None:
        if self.runner is not None:
            if not self.runner.stop(STOP_SECONDS):
                log.error("runner_did_not_drain", seconds=STOP_SECONDS)
            self.runner = None

    def terminate(self, worker: Any) -> None:
        self.stop(worker)


def runner_install(app: Celery) -> None:
    """Give every bmc worker of this app its runner. Call it once, when the app is made."""
    app.steps["worker"].add(RunnerStep)
    required: tuple[Any, ...] = Pool.requires or ()
    if RunnerStep not in required:
        Pool.requires = (*required, RunnerStep)
    # Celery binds tasks at their first use; bells are rung from many threads, so it is done here.
    app.finalize()
