"""Runners in threads: conflicts, bells, drains, and a database that goes away."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.bmc import PowerAction, PowerState, Receipt
from apps.bmc.fake import FakePool
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.testing import make_user
from apps.inventory.models import Server, ServerStatus
from apps.jobs import books, tasks
from apps.jobs.choices import TargetState as S
from apps.jobs.config import RunnerConfig
from apps.jobs.models import BmcLease, CommandAttempt, Job, JobTarget, Worker
from apps.jobs.services import job_create, job_stop
from apps.jobs.tests.stage import ScriptedBmc, ScriptedPool, fleet_server
from apps.jobs.worker import claims
from apps.jobs.worker.db import DbThreads
from apps.jobs.worker.thread import RunnerThread

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT_SECONDS = 20.0


@contextmanager
def runner(pool: FakePool, name: str = "w1", **config: Any) -> Iterator[RunnerThread]:
    thread = RunnerThread(
        name, config=RunnerConfig(**config), pool_factory=lambda doorman, refusals: pool
    )
    thread.start()
    try:
        yield thread
    finally:
        assert thread.stop(30)


def until(condition: Callable[[], object], seconds: float = LIMIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def order(server: Server, action: PowerAction = PowerAction.OFF, who: User | None = None) -> Job:
    actor = who or make_user(role=Role.OPERATOR)
    return job_create(kind="power", params={"action": action.value}, targets=[server], actor=actor)


def is_over(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, finished_at__isnull=False).exists()


def state_of(job: Job) -> str:
    return JobTarget.objects.get(job=job).state


# ------------------------------------------------------------------ conflicts


class WatchedBmc(ScriptedBmc):
    """Notes when two writers are at it at the same time, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._writers = threading.Semaphore(1)
        self.overlaps = 0

    @property
    def is_open(self) -> bool:
        return True

    @is_open.setter
    def is_open(self, value: bool) -> None:
        """Two pools share this BMC; its session is not what is tested."""

    async def chassis_control(self, action: PowerAction, *, not_after: float) -> Receipt:
        if not self._writers.acquire(blocking=False):
            self.overlaps += 1
            return await super().chassis_control(action, not_after=not_after)
        try:
            return await super().chassis_control(action, not_after=not_after)
        finally:
            self._writers.release()


class Everybody(str):
    """The owner of a BMC whom every worker takes for itself."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


@pytest.mark.timeout(180)
def test_four_workers_that_all_want_every_target_never_overlap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "owner_of", lambda *_: Everybody("me"))
    bmc_count, each = 50, 40 if not settings.IS_EMBEDDED else 6
    servers = [fleet_server() for _ in range(bmc_count)]
    actor = make_user(role=Role.OPERATOR)
    bmcs: dict[tuple[str, int], Any] = {}
    for server in servers:
        bmcs[server.bmc.address, server.bmc.port] = bmc = WatchedBmc()
        bmc.delay_seconds = 0.002
    orders = [
        job_create(kind="power", params={"action": "nmi"}, targets=servers, actor=actor)
        for _ in range(each)
    ]
    threads = []
    for n in range(4):
        pool = FakePool()
        pool.bmcs = bmcs
        threads.append(
            RunnerThread(
                f"w{n}",
                config=RunnerConfig(tick_seconds=0.05),
                pool_factory=lambda doorman, refusals, pool=pool: pool,
            )
        )
    for thread in threads:
        thread.start()
    until(lambda: not Job.objects.filter(finished_at__isnull=True).exists(), seconds=150)
    assert all(thread.stop(30) for thread in threads)
    assert sum(bmc.overlaps for bmc in bmcs.values()) == 0
    assert set(JobTarget.objects.values_list("state", flat=True)) == {S.ACCEPTED.value}
    assert sum(len(bmc.controls) for bmc in bmcs.values()) == bmc_count * len(orders)
    assert CommandAttempt.objects.count() == bmc_count * len(orders)
    used = set(CommandAttempt.objects.values_list("worker", flat=True))
    assert len(used) > 1, "no conflict was tested"
    for server in servers:
        # One lease for each, their times one after the other.
        rows = list(
            CommandAttempt.objects.filter(target__bmc=server.bmc)
            .order_by("fence")
            .values_list("fence", "intent_at", "answered_at")
        )
        for (fence, _, answered), (next_fence, intent, _) in zip(rows, rows[1:], strict=False):
            assert fence < next_fence
            assert answered is not None
            assert answered <= intent


# ------------------------------------------------------------------ bells


def test_a_bell_wakes_the_runner_at_once(pool: ScriptedPool) -> None:
    server = fleet_server()
    with runner(pool, tick_seconds=3600):
        job = order(server)
        tasks.ring()
        until(lambda: state_of(job) != S.QUEUED)


def test_a_lost_bell_costs_a_second(pool: ScriptedPool) -> None:
    server = fleet_server()
    with runner(pool):
        time.sleep(0.2)
        job = order(server)
        until(lambda: state_of(job) != S.QUEUED, seconds=3)


def test_the_next_read_comes_when_it_is_due(pool: ScriptedPool) -> None:
    server = fleet_server()
    with runner(pool, tick_seconds=3600):
        job = order(server)
        tasks.ring()
        until(lambda: is_over(job))
    assert state_of(job) == S.SUCCEEDED


def test_orders_of_one_server_come_one_after_the_other(pool: ScriptedPool) -> None:
    server, actor = fleet_server(), make_user(role=Role.OPERATOR)
    jobs = [order(server, PowerAction.NMI, actor) for _ in range(5)]
    with runner(pool, tick_seconds=3600):
        tasks.ring()
        until(lambda: all(is_over(job) for job in jobs))
    attempts = CommandAttempt.objects.order_by("fence").values_list("target__job_id", flat=True)
    assert list(attempts) == [job.pk for job in jobs]


# ------------------------------------------------------------------ stop


def test_a_stop_lets_conversations_end_and_takes_nothing_new(pool: ScriptedPool) -> None:
    first, second = fleet_server(), fleet_server()
    bmc = pool.of(first)
    bmc.delay_seconds = 0.3
    thread = RunnerThread("w1", pool_factory=lambda doorman, refusals: pool)
    thread.start()
    job = order(first, PowerAction.NMI)
    thread.wake()
    until(lambda: bmc.reads > 0)
    thread.runner.stop()
    late = order(second, PowerAction.NMI)
    thread.wake()
    assert thread.stop(30)
    assert (state_of(job), state_of(late)) == (S.ACCEPTED, S.QUEUED)
    assert pool.is_closed
    assert not Worker.objects.exists()
    assert not BmcLease.objects.filter(expires_at__gt=Now()).exists()
    assert not thread.is_alive


def test_what_does_not_end_in_time_is_handed_on(pool: ScriptedPool) -> None:
    server = fleet_server()
    bmc = pool.of(server)
    bmc.delay_seconds = 60
    with runner(pool, drain_seconds=0.2):
        job = order(server)
        until(lambda: state_of(job) == S.PRECHECK)
    assert state_of(job) == S.QUEUED
    bmc.delay_seconds = 0
    other = ScriptedPool()
    other.bmcs = pool.bmcs
    with runner(other, "w2"):
        until(lambda: is_over(job))
    assert (state_of(job), bmc.controls) == (S.SUCCEEDED, [PowerAction.OFF])


def test_a_command_cut_off_by_a_stop_is_verified_by_the_next(pool: ScriptedPool) -> None:
    server = fleet_server()
    bmc = pool.of(server)

    async def hang() -> None:
        bmc.delay_seconds = 60

    bmc.before_control = hang
    with runner(pool, drain_seconds=0.2):
        job = order(server)
        until(lambda: bmc.controls)
    assert state_of(job) == S.VERIFYING
    assert bmc.controls == [PowerAction.OFF]


def test_a_runner_that_cannot_start_says_so() -> None:
    def no_pool(*_: object) -> FakePool:
        raise RuntimeError("no sockets")

    thread = RunnerThread("w1", pool_factory=no_pool)
    with pytest.raises(RuntimeError, match="no sockets"):
        thread.start()
    assert thread.stop(5)


def test_one_that_was_never_started_stops_too() -> None:
    assert RunnerThread("w1").stop(1)


# ------------------------------------------------------------------ the database goes away


class Switch:
    """Makes every database call of the runners fail, or lose its answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_away = False
        self.lose_answers = 0
        self.lost: list[str] = []
        run = DbThreads.run

        async def switched(db: DbThreads, function: Any, *args: Any, **options: Any) -> Any:
            if self.is_away:
                raise OperationalError("the server closed the connection")
            result = await run(db, function, *args, **options)
            if self.lose_answers and function is books.apply and not options["is_retry"]:
                self.lose_answers -= 1
                self.lost.append(args[0][0].to)
                raise OperationalError("the connection broke at commit")
            return result

        monkeypatch.setattr(DbThreads, "run", switched)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Switch:
    return Switch(monkeypatch)


def test_while_the_database_is_away_nothing_is_sent_and_then_it_goes_on(
    pool: ScriptedPool, database: Switch
) -> None:
    server = fleet_server()
    bmc = pool.of(server)

    async def go_away() -> None:
        database.is_away = True

    bmc.before_read = go_away
    with runner(pool, tick_seconds=0.05, sweep_seconds=0.2):
        job = order(server)
        until(lambda: database.is_away)
        time.sleep(0.7)
        assert bmc.controls == []
        bmc.before_read = None
        database.is_away = False
        until(lambda: is_over(job), seconds=30)
    assert (state_of(job), bmc.controls) == (S.SUCCEEDED, [PowerAction.OFF])


def test_a_commit_whose_answer_is_lost_is_neither_repeated_nor_taken_for_lost(
    pool: ScriptedPool, database: Switch
) -> None:
    server = fleet_server()
    bmc = pool.of(server)
    database.lose_answers = 4  # precheck, intent, sent, verifying
    with runner(pool):
        job = order(server)
        until(lambda: is_over(job))
    assert database.lost == [S.PRECHECK, S.INTENT, S.SENT, S.VERIFYING]
    assert (state_of(job), bmc.controls) == (S.SUCCEEDED, [PowerAction.OFF])
    assert CommandAttempt.objects.count() == 1


def test_an_unconfirmed_sent_that_takes_too_long_sends_nothing(
    pool: ScriptedPool, database: Switch
) -> None:
    server = fleet_server()
    bmc = pool.of(server)

    async def lose_the_next() -> None:
        database.lose_answers = 2  # intent, sent

    bmc.before_read = lose_the_next
    with runner(pool, send_window_seconds=0.15):
        job = order(server, PowerAction.RESET)
        until(lambda: is_over(job))
    target = JobTarget.objects.get(job=job)
    assert (target.state, target.result) == (S.FAILED, "not_sent")
    assert bmc.executed == []


def test_news_are_kept_while_the_database_is_away(pool: ScriptedPool, database: Switch) -> None:
    server = fleet_server()
    bmc = pool.of(server)
    bmc.power = PowerState.OFF

    async def blink() -> None:
        database.is_away = True
        threading.Timer(0.6, lambda: setattr(database, "is_away", False)).start()

    bmc.before_read = blink
    with runner(pool, tick_seconds=0.05):
        until(lambda: bmc.reads > 0)
        until(lambda: ServerStatus.objects.get().power == "off")


# ------------------------------------------------------------------ leases and clocks


def test_a_lease_is_prolonged_while_its_conversation_lives(pool: ScriptedPool) -> None:
    server = fleet_server()
    pool.of(server).delay_seconds = 0.7  # four answers take longer than the lease
    with runner(pool, lease_seconds=1.2, sweep_seconds=0.1):
        job = order(server, PowerAction.NMI)
        until(lambda: is_over(job))
    assert state_of(job) == S.ACCEPTED
    assert JobTarget.objects.get(job=job).fence == 1


def test_a_lease_that_ran_out_is_not_prolonged_nor_is_somebody_elses() -> None:
    server = fleet_server()
    mine, theirs = uuid.uuid4(), uuid.uuid4()
    lease = BmcLease.objects.create(bmc=server.bmc, claim=mine, expires_at=now_plus(-1))
    assert claims.leases_renew([mine], [server.bmc_id], 60) == 0
    BmcLease.objects.update(expires_at=now_plus(5), claim=theirs)
    assert claims.leases_renew([mine], [server.bmc_id], 60) == 0
    BmcLease.objects.update(claim=mine)
    assert claims.leases_renew([mine], [server.bmc_id], 60) == 1
    lease.refresh_from_db()
    assert BmcLease.objects.filter(expires_at__gt=now_plus(55)).exists()


def test_a_fault_in_one_clock_stops_no_clock(
    pool: ScriptedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def broken(*_: object) -> None:
        calls.append("claim")
        raise RuntimeError("bug")

    monkeypatch.setattr("apps.jobs.worker.runner.claim_due", broken)
    with runner(pool, tick_seconds=0.02):
        until(lambda: len(calls) > 3)


def test_what_a_dead_worker_left_is_swept_and_done(pool: ScriptedPool) -> None:
    server = fleet_server()
    job = order(server)
    BmcLease.objects.create(bmc=server.bmc, token=4, holder="dead", expires_at=now_plus(0.5))
    JobTarget.objects.update(state=S.INTENT, fence=4, worker="dead")
    with runner(pool, sweep_seconds=0.1):
        until(lambda: is_over(job))
    assert state_of(job) == S.SUCCEEDED
    assert JobTarget.objects.get().fence == 5


def test_a_conversation_that_breaks_is_told_and_the_runner_lives_on(pool: ScriptedPool) -> None:
    first, second = fleet_server(), fleet_server()

    async def bug() -> None:
        raise RuntimeError("bug")

    pool.of(first).before_control = bug
    with runner(pool):
        broken, fine = order(first), order(second)
        until(lambda: is_over(fine))
    assert state_of(broken) == S.VERIFYING  # handed on at the stop: it may have run
    assert state_of(fine) == S.SUCCEEDED


def test_more_than_one_claim_takes_are_taken_one_after_the_other(pool: ScriptedPool) -> None:
    servers, actor = [fleet_server() for _ in range(7)], make_user(role=Role.OPERATOR)
    with runner(pool, claim_limit=2, tick_seconds=3600):
        job = job_create(kind="power", params={"action": "nmi"}, targets=servers, actor=actor)
        tasks.ring()
        until(lambda: is_over(job))


# ------------------------------------------------------------------ stop means stop


def test_after_a_stop_no_command_leaves(pool: ScriptedPool) -> None:
    servers, actor = [fleet_server() for _ in range(30)], make_user(role=Role.OPERATOR)
    sent_at: list[float] = []

    async def note() -> None:
        sent_at.append(time.monotonic())

    for n, server in enumerate(servers):
        pool.of(server).before_control = note
        pool.of(server).delay_seconds = 0.02 * n
    with runner(pool, tick_seconds=0.05):
        job = job_create(kind="power", params={"action": "nmi"}, targets=servers, actor=actor)
        tasks.ring()
        until(lambda: len(sent_at) >= 3)
        job_stop(job=job, actor=actor)
        stopped_at = time.monotonic()
        until(lambda: is_over(job))
    assert not [at for at in sent_at if at > stopped_at + 2]
    states = list(JobTarget.objects.values_list("state", flat=True))
    assert set(states) == {S.ACCEPTED.value, S.CANCELLED.value}
    assert (
        states.count(S.ACCEPTED)
        == len(sent_at)
        == CommandAttempt.objects.exclude(sent_at=None).count()
    )


def test_many_threads_of_orders_and_two_runners_do_not_lock_each_other_out() -> None:
    servers, actor = [fleet_server() for _ in range(20)], make_user(role=Role.OPERATOR)

    def orders(server: Server) -> list[Job]:
        try:
            return [order(server, PowerAction.NMI, actor) for _ in range(5)]
        finally:
            connections.close_all()

    with runner(ScriptedPool(), "w1"), runner(ScriptedPool(), "w2"):
        with ThreadPoolExecutor(8) as people:
            jobs = [job for batch in people.map(orders, servers) for job in batch]
        until(lambda: not Job.objects.filter(finished_at__isnull=True).exists())
    assert Job.objects.count() == len(jobs) == 100
    assert set(JobTarget.objects.values_list("state", flat=True)) == {S.ACCEPTED.value}
