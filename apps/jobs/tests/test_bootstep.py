"""The runner as a part of a Celery worker, in this process as the embedded portal has it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery.worker.components import Pool
from django.core.exceptions import ImproperlyConfigured

from apps.bmc import PowerAction
from apps.clusters.choices import Role
from apps.core.testing import make_cluster, make_profile, make_server, make_user
from apps.jobs.bootsteps import RunnerStep
from apps.jobs.models import Job, JobTarget, Worker
from apps.jobs.worker import bells
from apps.power.services import power_order
from apps.simulator.thread import FleetThread
from bmcportal.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def make_worker(queues: list[str], pool_cls: str = "threads", name: str = "bmc@test") -> Any:
    app.loader.import_default_modules()
    app.finalize()
    return app.WorkController(
        app=app,
        hostname=name,
        pool_cls=pool_cls,
        concurrency=2,
        queues=queues,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )


@contextmanager
def running(worker: Any) -> Iterator[None]:
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _queues_as_before() -> Iterator[None]:
    yield
    app.amqp.__dict__.pop("queues", None)


def runner_step(worker: Any) -> RunnerStep | None:
    return next((step for step in worker.steps if isinstance(step, RunnerStep)), None)


def test_an_order_reaches_the_runner_by_its_bell_and_the_stop_logs_out() -> None:
    with FleetThread(count=1) as simulated:
        fleet = simulated.fleet
        profile = make_profile(username=fleet.username, password=fleet.password)
        cluster = make_cluster("web")
        server = make_server(
            address=fleet[0].address, port=fleet.port, profile=profile, cluster=cluster
        )
        with running(make_worker(["default", "bmc"])):
            until(Worker.objects.exists)
            assert Worker.objects.get().name == "bmc@test"
            actor = make_user(role=Role.OPERATOR)
            power_order(server=server, action=PowerAction.OFF, actor=actor)
            until(lambda: Job.objects.filter(finished_at__isnull=False).exists())
            assert JobTarget.objects.get().worker == "bmc@test"
        assert not Worker.objects.exists()
        until(lambda: fleet.open_sessions == 0, 5)


def test_the_bell_itself_is_heard() -> None:
    rung = threading.Event()
    worker = make_worker(["bmc"])
    with running(worker):
        until(Worker.objects.exists)
        step = runner_step(worker)
        assert step is not None
        assert step.runner is not None
        ring = step.runner.runner.ring
        bells.take_down(ring)
        bells.hang(rung.set)
        try:
            app.send_task("jobs.ring", queue="bmc.bmc@test")
            assert rung.wait(30)
        finally:
            bells.take_down(rung.set)


def test_a_worker_without_the_bmc_queue_has_no_runner() -> None:
    worker = make_worker(["default"])
    assert runner_step(worker) is None


def test_the_own_queue_is_consumed() -> None:
    worker = make_worker(["bmc"])
    assert "bmc.bmc@test" in worker.app.amqp.queues.consume_from


def test_other_pools_are_refused_with_a_sentence() -> None:
    with pytest.raises(ImproperlyConfigured, match="--pool=threads"):
        make_worker(["bmc"], pool_cls="prefork")


def test_the_pool_requires_the_runner_so_it_is_up_first_and_gone_last() -> None:
    assert RunnerStep in (Pool.requires or ())
    worker = make_worker(["bmc"])
    names = [type(step).__name__ for step in worker.steps]
    assert names.index("RunnerStep") < names.index("Pool")


def test_a_runner_that_does_not_drain_is_told() -> None:
    class Stuck:
        def stop(self, timeout: float) -> bool:
            return False

    worker = make_worker(["bmc"])
    step = runner_step(worker)
    assert step is not None
    step.runner = Stuck()  # type: ignore[assignment]
    step.terminate(worker)
    assert step.runner is None
    step.stop(worker)
