"""The small parts of the worker: database threads, ledger, news, access."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from apps.bmc import BmcForbiddenAddress, BmcUnreachable
from apps.core import events
from apps.inventory.choices import Power
from apps.inventory.models import Server, ServerStatus
from apps.inventory.services import PowerFault, PowerReading
from apps.jobs import books
from apps.jobs.books import Held, Move, Outcome
from apps.jobs.choices import TargetState as S
from apps.jobs.config import RunnerConfig
from apps.jobs.tests.stage import fleet_server
from apps.jobs.worker import access, bells
from apps.jobs.worker.access import rows_load
from apps.jobs.worker.db import DbThreads
from apps.jobs.worker.ledger import Ledger
from apps.jobs.worker.news import Bundle, News, bundle_write
from apps.jobs.worker.refusals import Refusal
from apps.jobs.worker.thread import RunnerThread


def test_the_numbers_follow_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LEASE_SECONDS", 5)
    monkeypatch.setattr(settings, "SWEEP_SECONDS", 1)
    monkeypatch.setattr(settings, "WORKER_GONE_SECONDS", 4, raising=False)
    config = RunnerConfig.from_settings()
    assert (config.lease_seconds, config.sweep_seconds) == (5, 1)
    assert (config.gone_seconds, config.heartbeat_seconds) == (4, 1)
    assert config.lease_margin_seconds == pytest.approx(5 / 3)
    assert RunnerConfig().lease_margin_seconds == 10
    assert RunnerConfig().heartbeat_seconds == 5


# ------------------------------------------------------------------ database threads


@pytest.mark.django_db(transaction=True)
def test_calls_run_beside_the_loop_and_errors_come_back() -> None:
    async def run() -> None:
        db = DbThreads(1, "t")
        try:
            assert await db.run(lambda: Server.objects.count()) == 0
            with pytest.raises(ZeroDivisionError):
                await db.run(lambda: 1 // 0)
            assert await db.run(lambda: Server.objects.count()) == 0
        finally:
            await asyncio.to_thread(db.close)

    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_a_broken_connection_is_replaced() -> None:
    def break_it() -> None:
        connection.ensure_connection()
        raise OperationalError("gone")

    async def run() -> None:
        db = DbThreads(1, "t")
        try:
            with pytest.raises(OperationalError):
                await db.run(break_it)
            assert await db.run(lambda: connection.connection) is None
            assert await db.run(lambda: Server.objects.count()) == 0
        finally:
            await asyncio.to_thread(db.close)

    asyncio.run(run())


def test_who_stopped_waiting_does_not_break_the_thread() -> None:
    async def run() -> None:
        db = DbThreads(1, "t")
        waiting = asyncio.create_task(db.run(lambda: None))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await db.run(lambda: 7) == 7
        await asyncio.to_thread(db.close)

    asyncio.run(run())


# ------------------------------------------------------------------ ledger


def held(pk: int) -> Held:
    return Held(pk, S.QUEUED, uuid.uuid4(), 1, None, "x", None, 0)


class InlineDb(DbThreads):
    """Calls at once, in the loop's thread, what a test put in the place of the database."""

    def __init__(self) -> None:
        pass

    async def run(self, function: Any, *args: Any, **options: Any) -> Any:
        return function(*args, **options)


async def moves(ledger: Ledger, *pks: int) -> list[Any]:
    writer = asyncio.create_task(ledger.run())
    try:
        waiting = [ledger.move(Move(held(pk), S.LEASED)) for pk in pks]
        return await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        writer.cancel()


def test_who_is_ready_at_the_same_time_shares_a_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches: list[int] = []

    def apply(batch: list[Move], **_: object) -> Outcome:
        batches.append(len(batch))
        return Outcome(won={move.held.pk for move in batch if move.held.pk != 2})

    monkeypatch.setattr(books, "apply", apply)
    told: list[Outcome] = []
    assert asyncio.run(moves(Ledger(InlineDb(), told.append), 1, 2, 3)) == [True, False, True]
    assert batches == [3]
    assert told[0].won == {1, 3}


def test_one_bad_move_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(batch: list[Move], **_: object) -> Outcome:
        if any(move.held.pk == 2 for move in batch):
            raise ValueError("bad")
        return Outcome(won={move.held.pk for move in batch})

    monkeypatch.setattr(books, "apply", apply)
    won = asyncio.run(moves(Ledger(InlineDb(), lambda outcome: None), 1, 2, 3))
    assert [won[0], won[2]] == [True, True]
    assert isinstance(won[1], ValueError)


def test_the_same_batch_is_tried_under_the_same_token(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[tuple[uuid.UUID, bool]] = []

    def apply(batch: list[Move], *, fresh: uuid.UUID, is_retry: bool) -> Outcome:
        tries.append((fresh, is_retry))
        if len(tries) < 3:
            raise OperationalError("away")
        return Outcome(won={1})

    monkeypatch.setattr(books, "apply", apply)
    monkeypatch.setattr("apps.jobs.worker.ledger.FIRST_BACKOFF_SECONDS", 0.001)
    assert asyncio.run(moves(Ledger(InlineDb(), lambda outcome: None), 1)) == [True]
    assert [is_retry for _, is_retry in tries] == [False, True, True]
    assert len({fresh for fresh, _ in tries}) == 1


# ------------------------------------------------------------------ news


@pytest.mark.django_db
def test_news_of_many_are_one_message_a_cluster(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr(events, "_send", lambda *args: sent.append(args))
    servers = [fleet_server() for _ in range(3)]
    bundle = Bundle(
        readings={servers[0].pk: PowerReading(servers[0].pk, Power.ON)},
        guids={servers[0].bmc_id: "ab" * 16},
        refusals={servers[1].bmc_id: Refusal(servers[1].bmc_id, "k", 1)},
        server_ids={servers[1].pk, servers[2].pk},
        job_ids={5},
    )
    with django_capture_on_commit_callbacks(execute=True):
        bundle_write(bundle)
    assert [(group, event) for group, event, _ in sent] == [
        (events.cluster_group(servers[0].cluster_id), "servers"),
        ("job.5", "job"),
    ]
    assert set(sent[0][2]["ids"]) == {server.pk for server in servers}
    assert ServerStatus.objects.get(server=servers[0]).power == "on"
    servers[0].bmc.refresh_from_db()
    assert servers[0].bmc.guid == "ab" * 16


def test_newer_news_win_over_those_that_had_to_wait() -> None:
    old = Bundle(readings={1: PowerReading(1, Power.ON), 2: PowerReading(2, Power.ON)}, job_ids={1})
    new = Bundle(readings={1: PowerFault(1, "unreachable")}, job_ids={2})
    both = old.with_newer(new)
    assert both.readings == {1: PowerFault(1, "unreachable"), 2: PowerReading(2, Power.ON)}
    assert both.job_ids == {1, 2}
    assert not Bundle()


def test_news_wait_for_the_database_and_tell_what_was_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writes: list[Bundle] = []
    saved: list[Refusal] = []

    def write(bundle: Bundle) -> None:
        writes.append(bundle)
        if len(writes) == 1:
            raise OperationalError("away")

    monkeypatch.setattr("apps.jobs.worker.news.bundle_write", write)
    news = News(InlineDb(), saved.append)
    asyncio.run(news.flush())
    assert writes == []
    news.refusal(Refusal(1, "k", 2))
    asyncio.run(news.flush())
    assert saved == []
    news.guid(1, "ab")
    asyncio.run(news.flush())
    assert (writes[1].refusals, writes[1].guids) == ({1: Refusal(1, "k", 2)}, {1: "ab"})
    assert saved == [Refusal(1, "k", 2)]


# ------------------------------------------------------------------ access


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["127.0.0.9"], ["127.0.0.9"]),
        (["127.0.0.9", "127.0.0.9", "10.0.0.1"], ["127.0.0.9", "10.0.0.1"]),
        ([], []),
    ],
)
def test_all_addresses_of_a_name_are_looked_at(found: list[str], expected: list[str]) -> None:
    async def run() -> list[str]:
        loop: Any = asyncio.get_running_loop()

        async def getaddrinfo(*_: object, **__: object) -> list[Any]:
            return [(2, 2, 17, "", (address, 623)) for address in found]

        loop.getaddrinfo = getaddrinfo
        return await access._resolve("bmc.example", 623)

    if not expected:
        with pytest.raises(BmcUnreachable):
            asyncio.run(run())
    else:
        assert asyncio.run(run()) == expected


@pytest.mark.parametrize("odd", ["0177.0.0.1", "2130706433", "::ffff:127.0.0.1", "fe80::1%lo"])
def test_odd_literals_are_not_guessed_at(odd: str) -> None:
    with pytest.raises(BmcForbiddenAddress):
        asyncio.run(access._resolve(odd, 623))


@pytest.mark.django_db
def test_what_is_loaded_never_shows_its_secret() -> None:
    server = fleet_server()
    row = rows_load([server.bmc_id])[server.bmc_id]
    assert row.credential is not None
    assert row.credential.password.reveal() not in repr(row)


# ------------------------------------------------------------------ thread


def test_bells_can_be_taken_down() -> None:
    rung: list[int] = []

    def bell() -> None:
        rung.append(1)

    bells.hang(bell)
    bells.ring()
    bells.take_down(bell)
    bells.ring()
    assert rung == [1]


def test_the_runner_tells_what_it_does() -> None:
    assert repr(RunnerThread("w1").runner) == "<Runner w1 [0 acting, 0 reading]>"
