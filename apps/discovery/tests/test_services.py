from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections

from apps.audit.models import AuditEntry
from apps.bmc import Workaround as EngineWorkaround
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.faults import CODES
from apps.core.testing import make_cluster, make_profile, make_server, make_site, make_user
from apps.discovery import services
from apps.discovery.choices import TESTS_PER_MINUTE, Outcome, Progress
from apps.discovery.models import ConnectionTest
from apps.discovery.services import connection_test_order, connection_test_settle
from apps.discovery.worker import due_claim, old_forget
from apps.inventory.choices import Workaround
from apps.inventory.models import Server
from apps.inventory.services import ServerFacts
from apps.inventory.services.facts import facts_check
from apps.jobs.models import BmcLease
from apps.jobs.selectors import owner_of, workers_serving
from apps.jobs.worker.registry import worker_alive

pytestmark = pytest.mark.django_db


@pytest.fixture
def facts(web: Any) -> ServerFacts:
    return ServerFacts(
        name="", cluster=None, site=make_site(), address="127.0.0.9", port=623,
        profile=make_profile(clusters=[web]),
    )  # fmt: skip


def stored(**fields: Any) -> tuple[Server, ServerFacts]:
    server = make_server(**fields)
    return server, ServerFacts.of(server)


def backdate(seconds: float) -> None:
    ConnectionTest.objects.update(created_at=now_plus(-seconds))


def test_every_outcome_has_words() -> None:
    assert {outcome.value for outcome in Outcome} - {"", "ok"} <= CODES


def test_the_workarounds_are_those_of_the_engine() -> None:
    assert set(Workaround.values) == {word.value for word in EngineWorkaround}


# -------------------------------------------------------------------- rights


def test_an_operator_orders_a_test_and_the_audit_keeps_it(
    operator: Any, facts: ServerFacts
) -> None:
    test = connection_test_order(actor=operator, facts=facts)
    assert (test.state, test.server, test.address) == (Progress.WAITING, None, "127.0.0.9")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("discovery.test.order", operator)
    assert entry.after is not None
    assert entry.after["address"] == "127.0.0.9"


@pytest.mark.parametrize("who", ["readonly", "user"])
def test_others_may_not(request: pytest.FixtureRequest, facts: ServerFacts, who: str) -> None:
    with pytest.raises(PermissionDenied):
        connection_test_order(actor=request.getfixturevalue(who), facts=facts)
    assert not ConnectionTest.objects.exists()


def test_a_profile_that_was_not_opened_to_them_is_refused(
    outsider: Any, facts: ServerFacts
) -> None:
    with pytest.raises(ValidationError) as caught:
        connection_test_order(actor=outsider, facts=facts)
    assert "profile" in caught.value.message_dict
    assert not ConnectionTest.objects.exists()


def test_the_stored_profile_of_a_server_may_be_tested_where_it_is_bound(
    operator: Any, web: Any
) -> None:
    closed = make_profile(clusters=[make_cluster("other")])
    server, facts = stored(cluster=web, profile=closed)
    assert connection_test_order(actor=operator, facts=facts, server=server).server == server
    for change in ({"address": "127.0.0.77"}, {"port": 624}):
        with pytest.raises(ValidationError) as caught:
            connection_test_order(actor=operator, facts=replace(facts, **change), server=server)
        assert "profile" in caught.value.message_dict


def test_a_server_needs_an_operator_of_its_own_cluster(
    outsider: Any, user: Any, readonly: Any, web: Any
) -> None:
    server, facts = stored(cluster=web, profile=make_profile())
    for person in (outsider, user, readonly):
        with pytest.raises(PermissionDenied):
            connection_test_order(actor=person, facts=facts, server=server)


# -------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"profile": None}, "profile"),
        ({"address": "8.8.8.8"}, "profile"),
        ({"address": "169.254.169.254"}, "profile"),
        ({"address": "0177.0.0.1"}, "profile"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"suite": "0"}, "suite"),
        ({"protocol": "telnet"}, "protocol"),
        ({"workarounds": ("<b>",)}, "workarounds"),
    ],
)
def test_bad_facts_are_told_by_their_names(
    operator: Any, facts: ServerFacts, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        connection_test_order(actor=operator, facts=replace(facts, **change))
    assert field in caught.value.message_dict
    assert not ConnectionTest.objects.exists()


def test_an_address_outside_the_networks_of_the_profile_is_refused(
    operator: Any, facts: ServerFacts
) -> None:
    narrow = make_profile(networks=["10.0.0.0/8"])
    with pytest.raises(ValidationError):
        connection_test_order(actor=operator, facts=replace(facts, profile=narrow))


def test_a_bmc_that_is_in_the_portal_is_tested_from_its_server_only(
    operator: Any, facts: ServerFacts
) -> None:
    make_server(address="127.0.0.9", port=623, cluster=make_cluster("secret"))
    with pytest.raises(ValidationError) as caught:
        connection_test_order(actor=operator, facts=facts)
    assert "address" in caught.value.message_dict


def test_an_unknown_workaround_is_refused_for_servers_too(admin: Any, web: Any) -> None:
    server, facts = stored(cluster=web)
    facts_check(admin, replace(facts, workarounds=("padded_username",)), server)
    with pytest.raises(ValidationError) as caught:
        facts_check(admin, replace(facts, workarounds=("padded_username", "magic")), server)
    assert "magic" in str(caught.value.message_dict["workarounds"])


# -------------------------------------------------------------------- once, and not too often


def test_a_double_click_is_one_test(operator: Any, facts: ServerFacts) -> None:
    first = connection_test_order(actor=operator, facts=facts)
    assert connection_test_order(actor=operator, facts=facts) == first
    ConnectionTest.objects.update(state=Progress.DONE, outcome="ok")
    assert connection_test_order(actor=operator, facts=facts) == first
    assert AuditEntry.objects.count() == 1
    other = replace(facts, suite="3")
    assert connection_test_order(actor=operator, facts=other) != first
    backdate(3)
    assert connection_test_order(actor=operator, facts=facts) != first


def test_the_same_of_another_person_is_another_test(
    operator: Any, facts: ServerFacts, web: Any
) -> None:
    first = connection_test_order(actor=operator, facts=facts)
    colleague = make_user("colleague", Role.OPERATOR, web)
    assert connection_test_order(actor=colleague, facts=facts) != first


@pytest.mark.django_db(transaction=True)
def test_parallel_presses_are_one_test(operator: Any, facts: ServerFacts) -> None:
    found: list[Any] = []

    def press() -> None:
        try:
            found.append(connection_test_order(actor=operator, facts=facts).pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == ConnectionTest.objects.count() == 1


def test_too_many_within_a_minute_are_refused_with_a_sentence(
    operator: Any, facts: ServerFacts
) -> None:
    for port in range(TESTS_PER_MINUTE):
        connection_test_order(actor=operator, facts=replace(facts, port=1000 + port))
    with pytest.raises(ValidationError) as caught:
        connection_test_order(actor=operator, facts=facts)
    assert caught.value.messages == [
        "At most 10 tests within a minute. Nothing was sent. Wait a little."
    ]
    backdate(61)
    connection_test_order(actor=operator, facts=facts)


# -------------------------------------------------------------------- workers


def test_the_owner_is_rung_when_the_order_is_committed(
    operator: Any,
    facts: ServerFacts,
    web: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    rung: list[Any] = []
    monkeypatch.setattr(services, "bells_ring", rung.extend)
    for name in ("w1", "w2", "w3"):
        worker_alive(name, "", "host", 1)
    with django_capture_on_commit_callbacks(execute=True):
        connection_test_order(actor=operator, facts=facts)
        assert rung == []
    server, known = stored(cluster=web, profile=make_profile())
    with django_capture_on_commit_callbacks(execute=True):
        connection_test_order(actor=operator, facts=known, server=server)
    serving = workers_serving()
    assert rung == [
        owner_of("127.0.0.9:623", facts.site.pk, serving),
        owner_of(server.bmc_id, server.bmc.site_id, serving),
    ]


def test_the_owner_of_the_address_takes_it_once(operator: Any, facts: ServerFacts) -> None:
    for name in ("w1", "w2", "w3"):
        worker_alive(name, "", "host", 1)
    test = connection_test_order(actor=operator, facts=facts)
    taken = {name: due_claim(name) for name in ("w1", "w2", "w3", "w1", "w2", "w3")}
    assert sum(map(len, taken.values())) <= 1
    test.refresh_from_db()
    assert (test.state, test.claimed_by in taken) == (Progress.RUNNING, True)


def test_a_worker_of_another_site_does_not_take_it(operator: Any, facts: ServerFacts) -> None:
    make_site("ber")
    worker_alive("w1", "ber", "host", 1)
    test = connection_test_order(actor=operator, facts=facts)
    assert due_claim("w1") == []
    backdate(6)
    connection_test_settle(test=test)
    assert (test.state, test.outcome, test.params) == (
        Progress.DONE, Outcome.NO_WORKER, {"site": "fra"},
    )  # fmt: skip


def test_a_test_that_waited_5_s_is_over_and_never_taken(operator: Any, facts: ServerFacts) -> None:
    worker_alive("w1", "", "host", 1)
    test = connection_test_order(actor=operator, facts=facts)
    assert connection_test_settle(test=test).is_open
    backdate(5.1)
    assert due_claim("w1") == []
    assert connection_test_settle(test=test).outcome == Outcome.NOT_PICKED_UP


def test_a_worker_that_does_not_report_back_is_told(operator: Any, facts: ServerFacts) -> None:
    worker_alive("w1", "", "host", 1)
    test = connection_test_order(actor=operator, facts=facts)
    assert len(due_claim("w1")) == 1
    assert connection_test_settle(test=test).is_open
    ConnectionTest.objects.update(claimed_at=now_plus(-13))
    assert connection_test_settle(test=test).outcome == Outcome.INTERRUPTED


def test_nobody_takes_it_while_another_worker_holds_the_bmc(operator: Any, web: Any) -> None:
    worker_alive("w1", "", "host", 1)
    server, facts = stored(cluster=web, profile=make_profile())
    lease = BmcLease.objects.create(bmc=server.bmc, holder="w2", expires_at=now_plus(30))
    connection_test_order(actor=operator, facts=facts, server=server)
    assert due_claim("w1") == []
    lease.holder = "w1"
    lease.save()
    [order] = due_claim("w1")
    assert order.row.bmc_id == server.bmc_id
    assert "secret" not in repr(order)


def test_a_secret_that_cannot_be_opened_is_a_reason(operator: Any, facts: ServerFacts) -> None:
    worker_alive("w1", "", "host", 1)
    assert facts.profile is not None
    facts.profile.sealed_password = "v1.gone.AAAA"
    facts.profile.save()
    connection_test_order(actor=operator, facts=facts)
    [order] = due_claim("w1")
    assert (order.row.credential, order.row.fault) == (None, "secret_unreadable")


def test_tests_are_forgotten_after_a_day(operator: Any, facts: ServerFacts) -> None:
    connection_test_order(actor=operator, facts=facts)
    backdate(23 * 3600)
    assert old_forget() == 0
    backdate(25 * 3600)
    assert old_forget() == 1
