"""Workers are killed (-9) again and again over a series of power orders."""

from __future__ import annotations

import base64
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from apps.bmc import PowerAction
from apps.clusters.choices import Role
from apps.core.testing import make_cluster, make_profile, make_server, make_user
from apps.inventory.models import Server
from apps.jobs.choices import FINAL
from apps.jobs.choices import TargetState as S
from apps.jobs.models import CommandAttempt, Job, JobTarget, Worker
from apps.power.services import power_order
from apps.simulator.profiles import DEFAULT_PROFILES
from apps.simulator.thread import FleetThread

pytestmark = [
    pytest.mark.service,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(400),
]

KILLS = 20
WORKERS = 3
BMCS = 24
ONCE = (PowerAction.RESET, PowerAction.CYCLE, PowerAction.SOFT_OFF)
ACTIONS = (*ONCE, PowerAction.RESET, PowerAction.CYCLE, PowerAction.OFF, PowerAction.ON)
LEASE_SECONDS = 5
LONGEST_END_SECONDS = LEASE_SECONDS + 60


class Workers:
    """Real worker processes, as production starts them."""

    def __init__(self, log_file: Path) -> None:
        self._log = log_file.open("wb")
        self._log_file = log_file
        self._serial = 0
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self._serial += 1
        command = (
            "-m celery -A bmcportal worker --pool=threads --concurrency=2 -Q bmc "
            f"-n w{self._serial}@test --without-gossip --without-mingle --without-heartbeat"
        )
        process = subprocess.Popen(
            [sys.executable, *command.split()],
            env=environment(),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.running.append(process)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        self.running.remove(process)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self) -> list[int]:
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        return [process.wait(90) for process in self.running]

    def close(self) -> None:
        self._log.close()

    def told(self) -> str:
        return self._log_file.read_text(errors="replace")


def environment() -> dict[str, str]:
    database = str(connection.settings_dict["NAME"])
    if connection.vendor == "postgresql":
        url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}"
    else:
        url = f"sqlite:///{database}"
    keys = settings.CREDENTIAL_KEYS
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "apps.power.tests.settings_crash",
        "DATABASE_URL": url,
        "CREDENTIAL_KEYS": ",".join(
            f"{name}:{base64.b64encode(key).decode()}" for name, key in keys.items()
        ),
        "SECRET_KEY": settings.SECRET_KEY,
        "BMC_NETWORKS": "127.0.0.0/8",
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "SWEEP_SECONDS": "1",
        "POLL_SECONDS": "60",
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path / "workers.log")
    try:
        yield made
    finally:
        for process in tuple(made.running):
            if process.poll() is None:
                made.kill(process)
        made.close()


def until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


class Witness:
    """Remembers every final result from the moment it was first seen."""

    def __init__(self) -> None:
        self.finals: dict[int, tuple[str, str]] = {}

    def look(self) -> None:
        rows = JobTarget.objects.filter(state__in=sorted(FINAL))
        for pk, state, result in rows.values_list("pk", "state", "result"):
            assert self.finals.setdefault(pk, (state, result)) == (state, result)


def test_twenty_kills_over_a_series_of_orders_lose_and_repeat_nothing(workers: Workers) -> None:
    seed = int(os.environ.get("CRASH_SEED", random.randrange(10**6)))
    dice, witness = random.Random(seed), Witness()
    sys.stdout.write(f"seed {seed} (CRASH_SEED repeats it)\n")
    profiles = [replace(profile, session_slots=60) for profile in DEFAULT_PROFILES]
    with FleetThread(count=BMCS, lag_scale=0.05, profiles=profiles) as simulated:
        servers = prepare(simulated, dice)
        actor = make_user(role=Role.OPERATOR)
        orders: Counter[tuple[int, PowerAction]] = Counter()
        last: dict[int, PowerAction] = {}

        def order_some(count: int) -> None:
            busy = set(JobTarget.objects.filter(ended_at=None).values_list("server", flat=True))
            idle = [index for index in range(BMCS) if servers[index].pk not in busy]
            chosen = dice.sample(idle, min(count, len(idle)))
            for index in [*chosen, dice.randrange(BMCS)]:  # and one that may be in conflict
                is_off = last.get(index) in (PowerAction.OFF, PowerAction.SOFT_OFF)
                last[index] = action = PowerAction.ON if is_off else dice.choice(ACTIONS)
                power_order(server=servers[index], action=action, actor=actor)
                orders[index, action] += 1

        for _ in range(WORKERS):
            workers.start()
        until(lambda: Worker.objects.count() == WORKERS, 60)
        for _ in range(KILLS):
            order_some(6)
            time.sleep(dice.uniform(0.2, 2.0))
            witness.look()
            victim = dice.choice(workers.running)
            workers.kill(victim)
            workers.start()
        order_some(6)
        started = time.monotonic()
        until(lambda: not JobTarget.objects.filter(ended_at=None).exists(), LONGEST_END_SECONDS)
        seconds = time.monotonic() - started
        witness.look()
        assert workers.stop() == [0] * WORKERS, workers.told()
        check(simulated, orders, witness)
    assert "Traceback" not in workers.told()
    tell(seconds)


def prepare(simulated: FleetThread, dice: random.Random) -> list[Server]:
    fleet = simulated.fleet
    for bmc in fleet:
        faults: dict[str, Any] = {"latency_seconds": dice.uniform(0.0, 0.15)}
        simulated.call(bmc.set_faults, **faults)
    profile = make_profile(name="lab", username=fleet.username, password=fleet.password)
    cluster = make_cluster("web")
    return [
        make_server(address=bmc.address, port=bmc.port, profile=profile, cluster=cluster)
        for bmc in fleet
    ]


def check(
    simulated: FleetThread, orders: Counter[tuple[int, PowerAction]], witness: Witness
) -> None:
    assert JobTarget.objects.count() == len(witness.finals) == sum(orders.values())
    assert not Job.objects.filter(finished_at=None).exists()
    for index, bmc in enumerate(simulated.fleet):
        for action in ONCE:
            assert bmc.executed_count(action) <= orders[index, action]
    sent = CommandAttempt.objects.exclude(sent_at=None)
    per_target = Counter(
        sent.filter(command__in=ONCE).exclude(outcome="not_sent").values_list("target", flat=True)
    )
    assert not [pk for pk, count in per_target.items() if count > 1]
    for action in PowerAction:
        executed = simulated.fleet.executed_count(action)
        assert executed <= sent.filter(command=action).count()
    # What is called done or accepted did run: at least so often was it executed.
    for action in ONCE:
        good = JobTarget.objects.filter(
            state__in=[S.SUCCEEDED, S.ACCEPTED], job__params__action=action.value
        )
        assert good.count() <= simulated.fleet.executed_count(action)


def tell(seconds: float) -> None:
    states = Counter(JobTarget.objects.values_list("state", "result"))
    lines = [f"last end {seconds:.1f} s after the last kill; {sum(states.values())} targets:"]
    lines += [f"  {state} {result}: {count}" for (state, result), count in states.most_common()]
    sys.stdout.write("\n".join(lines) + "\n")
