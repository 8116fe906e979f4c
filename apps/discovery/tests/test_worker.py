"""A test's conversation with BMCs in memory: what real ones do too seldom to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from django.db import OperationalError

from apps.bmc import BmcError, BmcRefused, BmcSessionLost, Endpoint
from apps.bmc.fake import FakeBmc, FakePool
from apps.bmc.probe import Presence
from apps.core.testing import make_profile, make_server, make_site
from apps.discovery import worker
from apps.discovery.choices import Outcome, Progress
from apps.discovery.models import ConnectionTest
from apps.discovery.pages import shown
from apps.discovery.worker import ConnectionTests, Order, Talk, Verdict, due_claim
from apps.jobs.sources import Desk
from apps.jobs.worker.access import Doorman
from apps.jobs.worker.refusals import StoredRefusals
from apps.jobs.worker.registry import worker_alive

pytestmark = pytest.mark.django_db


class PlainDesk(Desk):
    """Everything at once and in this thread."""

    def __init__(self) -> None:
        self.me = "w1"
        self.pool: FakePool = FakePool()
        self.doorman = Doorman(StoredRefusals(lambda refusal: None))
        self.is_database_away = False

    def count(self, what: str) -> None:
        raise AssertionError(f"a connection test counts no {what}")

    async def db(self, function: Any, *args: Any) -> Any:
        if self.is_database_away:
            raise OperationalError
        return await asyncio.to_thread(lambda: None) or function(*args)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        raise AssertionError("not here")

    @property
    def bmc(self) -> FakeBmc:
        assert isinstance(self.pool, FakePool)
        return self.pool.bmc(Endpoint("127.0.0.9", 623))


@pytest.fixture
def order(admin: Any) -> Order:
    worker_alive("w1", "", "host", 1)
    ConnectionTest.objects.create(
        requested_by=admin, site=make_site(), address="127.0.0.9", port=623, suite="auto",
        profile=make_profile(), workarounds=["skip_auth_capabilities"],
    )  # fmt: skip
    [order] = due_claim("w1")
    return order


def talk(desk: PlainDesk, order: Order) -> Verdict:
    return asyncio.run(Talk(desk, order).run())


def test_everything_is_told(order: Order) -> None:
    verdict = talk(PlainDesk(), order)
    assert verdict.outcome == Outcome.OK
    assert (verdict.facts["vendor"], verdict.facts["serial"]) == ("Intel", "E1-0001")


@pytest.mark.parametrize("call", ["system_guid", "fru"])
def test_a_login_that_works_is_told_although_the_rest_is_lost(order: Order, call: str) -> None:
    desk = PlainDesk()
    desk.bmc.fail(call, BmcSessionLost())
    verdict = talk(desk, order)
    assert (verdict.outcome, verdict.facts["is_partial"]) == (Outcome.OK, True)
    assert verdict.facts["vendor"] == "Intel"


@pytest.mark.parametrize("call", ["system_guid", "fru"])
def test_what_a_bmc_does_not_have_is_left_out(order: Order, call: str) -> None:
    desk = PlainDesk()
    desk.bmc.fail(call, BmcRefused(completion_code=0xC1))
    verdict = talk(desk, order)
    assert verdict.outcome == Outcome.OK
    assert "is_partial" not in verdict.facts


def test_a_session_that_breaks_at_once_is_a_fault_with_what_is_known(order: Order) -> None:
    desk = PlainDesk()
    desk.bmc.fail("device_id", BmcSessionLost())
    verdict = talk(desk, order)
    assert (verdict.outcome, verdict.facts["suite"]) == ("session_lost", 17)


def test_a_mistake_of_ours_is_told_as_one(
    order: Order, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(worker, "report", broken)
    verdict = talk(PlainDesk(), order)
    assert (verdict.outcome, verdict.params) == (Outcome.INTERNAL, {})


def test_without_the_database_the_worker_goes_on(order: Order) -> None:
    desk = PlainDesk()
    desk.is_database_away = True
    asyncio.run(ConnectionTests()._run(desk, order))
    assert ConnectionTest.objects.get().state == Progress.RUNNING


def test_a_worker_whose_test_was_ended_writes_nothing(order: Order) -> None:
    ConnectionTest.objects.update(state=Progress.DONE, outcome=Outcome.INTERRUPTED)
    worker.finish("w1", order, Verdict())
    assert ConnectionTest.objects.get().outcome == Outcome.INTERRUPTED


def test_users_without_a_name_and_old_ipmi_are_reported(order: Order) -> None:
    talk = Talk(PlainDesk(), order)
    talk._greeted(Presence(Endpoint("127.0.0.9"), True, True, False, 0.001))
    assert talk.verdict.facts == {"latency_ms": 1.0, "allows_null_user": True}
    with pytest.raises(BmcError) as caught:
        talk._greeted(Presence(Endpoint("127.0.0.9"), False, False, False, 0.001))
    assert caught.value.code == "insecure"


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        ({"is_new_session": False}, "no new login was needed"),
        ({"is_partial": True}, "Not everything could be read"),
        ({"allows_null_user": True}, "users without a name"),
    ],
)
def test_every_note_has_its_sentence(order: Order, fact: dict[str, Any], sentence: str) -> None:
    test = ConnectionTest(pk=order.pk, state=Progress.DONE, outcome=Outcome.OK, facts=fact)
    [note] = shown(test).notes
    assert sentence in note


@pytest.mark.parametrize(
    ("level", "word"), [(2, "User"), (3, "Operator"), (4, "Administrator"), (9, "9")]
)
def test_every_privilege_has_its_word(order: Order, level: int, word: str) -> None:
    test = ConnectionTest(pk=order.pk, outcome=Outcome.OK, facts={"privilege": level})
    assert [row.value for row in shown(test).rows] == [word]


def test_tones_follow_the_state(order: Order) -> None:
    tones = [
        shown(ConnectionTest(pk=order.pk, state=state, outcome=outcome)).tone
        for state, outcome in (("waiting", ""), ("done", "ok"), ("done", "auth_failed"))
    ]
    assert tones == ["busy", "done", "fail"]


def test_a_server_that_was_removed_meanwhile_takes_its_tests_along(admin: Any, web: Any) -> None:
    profile = make_profile()
    server = make_server(cluster=web, profile=profile)
    ConnectionTest.objects.create(
        requested_by=admin, server=server, site=server.bmc.site, address="127.0.0.9", port=623,
        suite="auto", profile=profile,
    )  # fmt: skip
    server.delete()
    assert not ConnectionTest.objects.exists()
