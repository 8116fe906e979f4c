from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.conf import settings
from django.db.models.functions import Now

from apps.bmc import BmcAuthError, BmcBreakerOpen, BmcRefused, BmcUnreachable, PowerState
from apps.bmc.fake import FakePool
from apps.core.dbtime import now_plus
from apps.core.testing import make_server
from apps.inventory.models import Bmc, CredentialProfile, Server, ServerStatus
from apps.jobs.models import BmcLease
from apps.jobs.sources import Desk, sources_make
from apps.jobs.tests.stage import ScriptedPool, fleet_server
from apps.jobs.worker.access import Doorman
from apps.jobs.worker.db import DbThreads
from apps.jobs.worker.news import News
from apps.jobs.worker.refusals import StoredRefusals
from apps.jobs.worker.registry import worker_alive
from apps.power.poll import PowerPoll, due_claim

pytestmark = pytest.mark.django_db(transaction=True)


class TestDesk(Desk):
    """One tick, and all that it spawned, to its end."""

    __test__ = False

    def __init__(self, pool: FakePool) -> None:
        self.me = "w1"
        self.pool = pool
        self._threads = DbThreads(1, "desk")
        self.refusals = StoredRefusals(lambda refusal: self.news.refusal(refusal))
        self.news = News(self._threads, self.refusals.saved)
        self.doorman = Doorman(self.refusals)
        self._work: list[Coroutine[Any, Any, None]] = []
        self.totals: Counter[str] = Counter()

    def count(self, what: str) -> None:
        self.totals[what] += 1

    def db(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._threads.run(function, *args)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._work.append(work)

    async def tick(self, poll: PowerPoll) -> None:
        await poll.tick(self)
        await asyncio.gather(*self._work)
        await self.news.flush()
        await asyncio.to_thread(self._threads.close)


@pytest.fixture
def server() -> Server:
    worker_alive("w1", "", "host", 1)
    return fleet_server()


def poll_once(pool: FakePool, poll: PowerPoll | None = None) -> None:
    async def run() -> None:
        await TestDesk(pool).tick(poll or PowerPoll())

    asyncio.run(run())


@pytest.mark.parametrize("power", ["on", "off"])
def test_what_is_read_is_shown(server: Server, pool: ScriptedPool, power: str) -> None:
    pool.of(server).power = PowerState(power)
    poll_once(pool)
    status = ServerStatus.objects.get()
    assert (status.power, status.fault) == (power, "")
    assert pool.of(server).controls == []


def test_a_fault_makes_the_state_unknown_with_its_reason(
    server: Server, pool: ScriptedPool
) -> None:
    pool.of(server).fail("login", BmcUnreachable(stage="login"))
    poll_once(pool)
    status = ServerStatus.objects.get()
    assert (status.power, status.fault) == ("unknown", "unreachable")
    assert status.fault_params == {"stage": "login"}


def test_a_breaker_that_is_open_teaches_nothing_new(server: Server, pool: ScriptedPool) -> None:
    pool.of(server).fail("login", BmcBreakerOpen(retry_seconds=9))
    ServerStatus.objects.update(fault="unreachable")
    poll_once(pool)
    assert ServerStatus.objects.get().fault == "unreachable"


def test_a_bmc_without_profile_says_so(server: Server, pool: ScriptedPool) -> None:
    Bmc.objects.update(profile=None)
    poll_once(pool)
    assert ServerStatus.objects.get().fault == "no_credential"


def test_all_servers_of_a_chassis_manager_are_told(server: Server, pool: ScriptedPool) -> None:
    make_server(bmc=server.bmc)
    poll_once(pool)
    assert set(ServerStatus.objects.values_list("power", flat=True)) == {"on"}


def test_it_is_due_again_within_the_interval(server: Server) -> None:
    assert [row.bmc_id for row in due_claim("w1")] == [server.bmc_id]
    assert due_claim("w1") == []
    seconds = settings.POLL_SECONDS
    due = Bmc.objects.filter(poll_due_at__gt=now_plus(seconds * 0.7))
    assert due.filter(poll_due_at__lte=now_plus(seconds)).exists()


def test_many_are_spread_over_time(server: Server) -> None:
    for _ in range(40):
        fleet_server()
    assert len(due_claim("w1")) == 41
    assert Bmc.objects.values("poll_due_at").distinct().count() > 4


def test_a_watched_server_is_due_again_soon(server: Server) -> None:
    ServerStatus.objects.update(watched_until=now_plus(30))
    due_claim("w1")
    assert Bmc.objects.filter(poll_due_at__lte=now_plus(settings.POLL_WATCHED_SECONDS)).exists()


def test_nobody_reads_what_another_worker_has_leased(server: Server) -> None:
    BmcLease.objects.create(bmc=server.bmc, holder="w2", expires_at=now_plus(30))
    assert due_claim("w1") == []
    BmcLease.objects.update(holder="w1")
    assert len(due_claim("w1")) == 1
    BmcLease.objects.update(holder="w2", expires_at=Now())
    Bmc.objects.update(poll_due_at=Now())
    assert len(due_claim("w1")) == 1


def test_each_worker_reads_its_own(server: Server) -> None:
    for _ in range(40):
        fleet_server()
    worker_alive("w2", "", "host", 2)
    mine, theirs = due_claim("w1"), due_claim("w2")
    assert len(mine) + len(theirs) == 41
    assert mine
    assert theirs
    assert not {row.bmc_id for row in mine} & {row.bmc_id for row in theirs}
    assert due_claim("w3") == []


def test_a_read_that_is_still_going_on_is_not_started_again(
    server: Server, pool: ScriptedPool
) -> None:
    poll = PowerPoll()
    poll._busy.add(server.bmc_id)
    poll_once(pool, poll)
    assert pool.bmcs == {}


def test_the_identity_is_kept_at_the_first_login_and_not_asked_for_again(
    server: Server, pool: ScriptedPool
) -> None:
    poll_once(pool)
    assert Bmc.objects.get().guid == pool.of(server).guid
    Bmc.objects.update(poll_due_at=Now())
    reads = pool.of(server).reads
    poll_once(pool)
    assert pool.of(server).reads == reads + 1


def test_a_bmc_without_identity_is_asked_once(server: Server, pool: ScriptedPool) -> None:
    poll = PowerPoll()
    pool.of(server).fail("system_guid", BmcRefused(completion_code=0xC1))
    for _ in range(2):
        Bmc.objects.update(poll_due_at=Now())
        poll_once(pool, poll)
    assert pool.of(server).reads == 3
    assert Bmc.objects.get().guid == ""


def test_refusals_are_kept_on_the_row_and_loaded_by_the_next_worker(server: Server) -> None:
    profile = CredentialProfile.objects.get()

    async def refuse_twice() -> None:
        desk = TestDesk(ScriptedPool())
        [row] = await desk.db(due_claim, "w1")
        access = await desk.doorman.admit(row)
        for _ in range(2):
            desk.refusals.record(access.endpoint.key, access.credential.key)
        assert desk.refusals.count(access.endpoint.key, access.credential.key) == 2
        await desk.tick(PowerPoll())

    async def count_elsewhere() -> int:
        desk = TestDesk(ScriptedPool())
        [row] = await desk.db(due_claim, "w1")
        access = await desk.doorman.admit(row)
        await desk.tick(PowerPoll())
        return desk.refusals.count(access.endpoint.key, access.credential.key)

    asyncio.run(refuse_twice())
    bmc = Bmc.objects.get()
    assert (bmc.refused_key, bmc.refused_count) == (profile.key, 2)
    Bmc.objects.update(poll_due_at=Now())
    assert asyncio.run(count_elsewhere()) == 2
    # Another secret was not refused yet; and a person may forgive.
    CredentialProfile.objects.update(secret_version=2)
    Bmc.objects.update(poll_due_at=Now())
    assert asyncio.run(count_elsewhere()) == 0
    CredentialProfile.objects.update(secret_version=1)
    Bmc.objects.update(poll_due_at=Now(), refused_key="", refused_count=0)
    assert asyncio.run(count_elsewhere()) == 0


def test_a_wrong_password_shows(server: Server, pool: ScriptedPool) -> None:
    pool.of(server).fail("login", BmcAuthError())
    poll_once(pool)
    assert ServerStatus.objects.get().fault == "auth_failed"


def test_every_runner_has_its_own_power_poll() -> None:
    first, second = sources_make(), sources_make()
    assert [type(source) for source in first] == [PowerPoll]
    assert first[0] is not second[0]
