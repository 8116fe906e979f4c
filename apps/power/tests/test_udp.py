"""Power orders over real UDP, against the project's simulated BMCs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from apps.bmc import PowerAction, PowerState
from apps.clusters.choices import Role
from apps.core.testing import make_cluster, make_profile, make_server, make_user
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.inventory.services.reading import servers_watch
from apps.jobs import tasks
from apps.jobs.choices import TargetState as S
from apps.jobs.config import RunnerConfig
from apps.jobs.models import Job, JobTarget
from apps.jobs.services import job_create
from apps.jobs.worker.thread import RunnerThread
from apps.power.services import power_order
from apps.power.timing import PowerTiming
from apps.simulator.thread import FleetThread

pytestmark = pytest.mark.django_db(transaction=True)


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def servers_of(simulated: FleetThread) -> list[Server]:
    fleet = simulated.fleet
    profile = make_profile(name="lab", username=fleet.username, password=fleet.password)
    cluster = make_cluster("web")
    return [
        make_server(address=bmc.address, port=bmc.port, profile=profile, cluster=cluster)
        for bmc in fleet
    ]


@contextmanager
def running(**config: Any) -> Iterator[RunnerThread]:
    thread = RunnerThread("w1", config=RunnerConfig(**config))
    thread.start()
    try:
        yield thread
    finally:
        assert thread.stop(60)


def order(servers: list[Server], action: PowerAction) -> Job:
    actor = make_user(role=Role.OPERATOR)
    job = job_create(kind="power", params={"action": action.value}, targets=servers, actor=actor)
    tasks.ring()
    return job


def is_over(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, finished_at__isnull=False).exists()


def states(job: Job) -> dict[str, str]:
    return dict(JobTarget.objects.filter(job=job).values_list("server__bmc__address", "state"))


def test_a_soft_off_is_seen_to_its_verified_end() -> None:
    with FleetThread(count=1, lag_scale=0.1) as simulated, running():
        [server] = servers_of(simulated)
        actor = make_user(role=Role.USER, cluster=server.cluster)
        job = power_order(server=server, action=PowerAction.SOFT_OFF, actor=actor)
        tasks.ring()
        until(lambda: ServerStatus.objects.filter(transition="shutting_down").exists())
        until(lambda: is_over(job))
        assert set(states(job).values()) == {S.SUCCEEDED.value}
        status = ServerStatus.objects.get()
        assert (status.power, status.transition) == ("off", "")
        assert simulated.fleet[0].executed_count(PowerAction.SOFT_OFF) == 1
        assert simulated.fleet[0].power is PowerState.OFF
    assert simulated.fleet.open_sessions == 0  # logged out at the stop


def test_a_cycle_is_proven_by_its_off_phase() -> None:
    with FleetThread(count=1, lag_scale=0.5) as simulated, running():
        job = order(servers_of(simulated), PowerAction.CYCLE)
        until(lambda: is_over(job))
        target = JobTarget.objects.get()
        assert (target.state, target.result) == (S.SUCCEEDED, "restart_seen")
        assert simulated.fleet.executed_count() == 1


def test_a_reset_whose_replies_are_lost_for_8_s_runs_exactly_once(
    settings: Any,
) -> None:
    settings.POWER_TIMING = PowerTiming(verify=14, watch_reset=2)
    with FleetThread(count=10) as simulated, running():
        for bmc in list(simulated.fleet)[:2]:
            simulated.call(bmc.set_faults, power_reply_loss_seconds=8.0)
        job = order(servers_of(simulated), PowerAction.RESET)
        until(lambda: is_over(job), seconds=40)
        assert [bmc.executed_count(PowerAction.RESET) for bmc in simulated.fleet] == [1] * 10
        found = states(job)
        for bmc in simulated.fleet:
            is_lost = bmc.index < 2
            assert found[bmc.address] == (S.UNKNOWN if is_lost else S.ACCEPTED)


def test_an_off_whose_replies_are_lost_is_verified_by_two_reads() -> None:
    with FleetThread(count=1) as simulated, running():
        simulated.call(simulated.fleet[0].set_faults, power_reply_loss_seconds=4.0)
        job = order(servers_of(simulated), PowerAction.OFF)
        until(lambda: is_over(job), seconds=40)
        target = JobTarget.objects.get()
        assert (target.state, target.result, target.answered_at) == (
            S.SUCCEEDED,
            "verified",
            None,
        )
        assert simulated.fleet.executed_count() == 1


def test_refused_busy_silent_and_swapped(settings: Any) -> None:
    with FleetThread(count=5) as simulated, running():
        servers = servers_of(simulated)
        fleet = simulated.fleet
        Bmc.objects.filter(pk=servers[3].bmc_id).update(guid=fleet[3].guid)
        simulated.call(fleet[0].set_faults, refuse_power=True)
        simulated.call(fleet[1].set_faults, busy_power=1)
        simulated.call(fleet[2].set_faults, silent=True)
        simulated.call(fleet[3].set_faults, wrong_guid=True)
        job = order(servers, PowerAction.OFF)
        until(lambda: is_over(job), seconds=40)
        found = dict(JobTarget.objects.values_list("server__bmc__address", "result"))
        assert [found[bmc.address] for bmc in fleet] == [
            "refused",
            "verified",
            "unreachable",
            "wrong_identity",
            "verified",
        ]
        assert [bmc.executed_count() for bmc in fleet] == [0, 1, 0, 0, 1]


def test_a_wrong_password_is_tried_twice_in_all_and_never_again() -> None:
    with FleetThread(count=1) as simulated:
        [server] = servers_of(simulated)
        server.bmc.profile = make_profile(username=simulated.fleet.username, password="wrong")
        server.bmc.save()
        for _ in range(2):  # also not after a restart of the worker
            with running(tick_seconds=0.05):
                for _ in range(4):
                    Bmc.objects.update(poll_due_at="2020-01-01T00:00:00Z")
                    job = order([server], PowerAction.OFF)
                    until(partial(is_over, job))
        assert simulated.fleet[0].counters.handshakes == 2
        assert simulated.fleet.login_count == 0  # it showed in RAKP 2: no RAKP 3 was sent
        assert Bmc.objects.get().refused_count == 2
        assert ServerStatus.objects.get().fault == "auth_blocked"


def test_what_happens_at_the_machine_shows_without_any_command(settings: Any) -> None:
    settings.POLL_WATCHED_SECONDS = 1
    with FleetThread(count=3) as simulated, running():
        servers = servers_of(simulated)
        servers_watch([server.pk for server in servers])
        until(lambda: ServerStatus.objects.filter(power="on").count() == 3)
        simulated.call(simulated.fleet[1].press_power, PowerState.OFF)
        until(lambda: ServerStatus.objects.get(server=servers[1]).power == "off", seconds=10)
        simulated.call(simulated.fleet[2].set_faults, silent=True)
        until(lambda: ServerStatus.objects.get(server=servers[2]).fault == "unreachable")
        assert ServerStatus.objects.get(server=servers[2]).last_power == "on"
        assert simulated.fleet.executed_count() == 0


def test_two_hundred_at_once() -> None:
    count = int(os.environ.get("ORDER_COUNT", "200"))
    with FleetThread(count=count) as simulated, running():
        servers = servers_of(simulated)
        started = time.monotonic()
        job = order(servers, PowerAction.OFF)
        until(lambda: is_over(job), seconds=50)
        sys.stdout.write(f"{count} verified power offs in {time.monotonic() - started:.2f} s\n")
        assert set(states(job).values()) == {S.SUCCEEDED.value}
        assert [bmc.executed_count() for bmc in simulated.fleet] == [1] * count


def test_a_rolling_restart_in_the_middle_of_a_job_breaks_nothing() -> None:
    with FleetThread(count=100) as simulated:
        servers = servers_of(simulated)
        for bmc in simulated.fleet:
            simulated.call(bmc.set_faults, latency_seconds=0.02 + bmc.index * 0.002)
        first, second = RunnerThread("w1"), RunnerThread("w2")
        first.start()
        second.start()
        job = order(servers, PowerAction.OFF)
        until(lambda: simulated.fleet.executed_count() > 5)
        started = time.monotonic()
        assert first.stop(60)
        sys.stdout.write(f"drained in {time.monotonic() - started:.2f} s\n")
        third = RunnerThread("w3")
        third.start()
        assert second.stop(60)
        until(lambda: is_over(job), seconds=40)
        assert third.stop(60)
        assert set(states(job).values()) == {S.SUCCEEDED.value}
        assert [bmc.executed_count() for bmc in simulated.fleet] == [1] * 100
        assert simulated.fleet.open_sessions == 0
        assert {bmc.counters.no_slot for bmc in simulated.fleet} == {0}
