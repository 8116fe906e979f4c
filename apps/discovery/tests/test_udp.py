"""Connection tests over real UDP, against the project's simulated BMCs."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.bmc import Privilege
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.testing import make_cluster, make_profile, make_server, make_site, make_user
from apps.discovery import worker
from apps.discovery.choices import Outcome, Progress
from apps.discovery.models import ConnectionTest
from apps.discovery.services import connection_test_order
from apps.inventory.models import Bmc, CredentialProfile, Server, ServerStatus
from apps.inventory.services import ServerFacts, server_create
from apps.jobs import tasks
from apps.jobs.config import RunnerConfig
from apps.jobs.worker.thread import RunnerThread
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.fru import MARKUP, BadFru
from apps.simulator.profiles import PROFILES
from apps.simulator.thread import FleetThread

pytestmark = pytest.mark.django_db(transaction=True)
DELL = PROFILES["dell-idrac9"]


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def lab(*profiles: Any, **config: Any) -> Iterator[FleetThread]:
    """A fleet of these models, and a worker; one BMC of a Dell unless told otherwise."""
    chosen = profiles or (DELL,)
    with FleetThread(count=len(chosen), profiles=chosen) as simulated:
        thread = RunnerThread("w1", config=RunnerConfig(**config))
        thread.start()
        try:
            yield simulated
        finally:
            assert thread.stop(60)


def operator() -> User:
    known = User.objects.filter(username="operator").first()
    return known or make_user("operator", Role.OPERATOR, make_cluster("web"))


def profile_for(simulated: FleetThread, **fields: Any) -> CredentialProfile:
    fleet = simulated.fleet
    return make_profile(**{"username": fleet.username, "password": fleet.password} | fields)


def facts_for(bmc: SimulatedBmc, profile: CredentialProfile, **fields: Any) -> ServerFacts:
    known = {
        "name": "", "cluster": None, "site": make_site(), "address": bmc.address,
        "port": bmc.port, "profile": profile,
    }  # fmt: skip
    return ServerFacts(**known | fields)


def server_for(bmc: SimulatedBmc, profile: CredentialProfile, **fields: Any) -> Server:
    """A server that polling leaves alone until `poll()`."""
    row = Bmc.objects.create(
        site=make_site(), address=bmc.address, port=bmc.port, profile=profile,
        guid=fields.pop("guid", ""), poll_due_at=now_plus(3600),
    )  # fmt: skip
    server = make_server(bmc=row, cluster=make_cluster("web"), **fields)
    return Server.objects.select_related("cluster", "bmc__site", "bmc__profile").get(pk=server.pk)


def poll() -> None:
    Bmc.objects.update(poll_due_at=Now())


def run(facts: ServerFacts, server: Server | None = None) -> ConnectionTest:
    """Order it, ring, and wait for the answer; earlier tests were long ago."""
    ConnectionTest.objects.update(created_at=now_plus(-3600))
    test = connection_test_order(actor=operator(), facts=facts, server=server)
    tasks.ring()
    until(lambda: ConnectionTest.objects.filter(pk=test.pk, state=Progress.DONE).exists())
    test.refresh_from_db()
    return test


def seconds(test: ConnectionTest) -> float:
    assert test.finished_at is not None
    return (test.finished_at - test.created_at).total_seconds()


def kinds(bmc: SimulatedBmc) -> list[str]:
    return [seen.kind for seen in bmc.datagrams if seen.direction == "in"]


def test_a_good_password_tells_who_it_is() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        test = run(facts_for(bmc, profile_for(simulated)))
        assert (test.outcome, test.params, test.claimed_by) == (Outcome.OK, {}, "w1")
        latency = test.facts.pop("latency_ms")
        assert 0 < latency < 5000
        assert test.facts == {
            "vendor": "Dell", "product": "PowerEdge R740", "serial": bmc.serial,
            "guid": bmc.guid, "firmware": "6.10", "ipmi_version": "2.0", "suite": 17,
            "privilege": 3, "is_new_session": True,
        }  # fmt: skip
        assert seconds(test) < 5
        assert kinds(bmc)[:5] == [
            "get_channel_auth_capabilities", "open_session 17", "rakp1", "rakp3",
            "set_session_privilege",
        ]  # fmt: skip
        assert (bmc.counters.logins, bmc.executed_count()) == (1, 0)
    assert simulated.fleet.open_sessions == 0


def test_the_bell_is_enough() -> None:
    with lab(tick_seconds=600) as simulated:
        assert run(facts_for(simulated.fleet[0], profile_for(simulated))).is_ok


def test_a_bell_that_was_lost_costs_a_second() -> None:
    with lab() as simulated:
        facts = facts_for(simulated.fleet[0], profile_for(simulated))
        test = connection_test_order(actor=operator(), facts=facts)
        until(lambda: ConnectionTest.objects.filter(pk=test.pk, outcome="ok").exists())
        test.refresh_from_db()
        assert seconds(test) < 5


def test_adding_the_server_after_its_test_needs_no_second_login() -> None:
    with lab() as simulated:
        bmc, profile = simulated.fleet[0], profile_for(simulated)
        facts = facts_for(bmc, profile)
        assert run(facts).is_ok
        cluster = make_cluster("web")
        server_create(actor=operator(), facts=replace(facts, name="web-1", cluster=cluster))
        until(lambda: ServerStatus.objects.filter(power="on").exists())
        until(lambda: Bmc.objects.exclude(seen_serial="").exists())
        assert (bmc.counters.logins, bmc.counters.handshakes) == (1, 1)


def test_a_session_with_a_bmc_that_was_not_added_ends_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "GUEST_SECONDS", 0.5)
    with lab() as simulated:
        bmc = simulated.fleet[0]
        assert run(facts_for(bmc, profile_for(simulated))).is_ok
        until(lambda: bmc.open_sessions == 0)
        assert bmc.counters.logins == 1


def test_a_server_is_tested_in_the_session_that_is_open() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        server = server_for(bmc, profile_for(simulated))
        poll()
        until(lambda: ServerStatus.objects.filter(power="on").exists())
        test = run(ServerFacts.of(server), server)
        assert test.is_ok
        assert test.facts["is_new_session"] is False
        assert (bmc.counters.logins, bmc.counters.handshakes) == (1, 1)


def test_what_is_learnt_fills_the_record_and_changes_none_of_it() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        server = server_for(bmc, profile_for(simulated))
        Bmc.objects.update(vendor="Typed", firmware="1.0")
        test = run(ServerFacts.of(server), server)
        assert test.is_ok
        row = Bmc.objects.get()
        assert (row.vendor, row.product, row.firmware) == ("Typed", "PowerEdge R740", "1.0")
        assert (row.seen_serial, row.guid) == (bmc.serial, bmc.guid)


def test_a_test_of_another_address_teaches_the_record_nothing() -> None:
    with lab(DELL, DELL) as simulated:
        profile = profile_for(simulated)
        server = server_for(simulated.fleet[0], profile)
        facts = replace(ServerFacts.of(server), address=simulated.fleet[1].address)
        test = run(facts, server)
        assert test.is_ok
        assert test.facts["serial"] == simulated.fleet[1].serial
        assert Bmc.objects.get().seen_serial == ""
        assert simulated.fleet[0].counters.received == 0


def test_a_wrong_password_shows_in_one_exchange_and_sends_no_rakp3() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        test = run(facts_for(bmc, profile_for(simulated, password="wrong")))
        assert (test.outcome, test.params) == ("auth_failed", {"stage": "rakp2"})
        assert kinds(bmc) == ["get_channel_auth_capabilities", "open_session 17", "rakp1"]
        assert bmc.counters.logins == 0
        assert seconds(test) < 5


def test_a_refused_password_is_not_tried_a_third_time() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        facts = facts_for(bmc, profile_for(simulated, password="wrong"))
        outcomes = [run(facts).outcome for _ in range(4)]
        assert outcomes == ["auth_failed", "auth_failed", "auth_blocked", "auth_blocked"]
        assert (bmc.counters.handshakes, bmc.counters.logins) == (2, 0)
        # Another secret was not refused yet.
        assert run(facts_for(bmc, profile_for(simulated))).is_ok


def test_polls_and_tests_count_refusals_together() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        server = server_for(bmc, profile_for(simulated, password="wrong"))
        poll()
        until(lambda: ServerStatus.objects.filter(fault="auth_failed").exists())
        stored = ServerFacts.of(server)
        assert [run(stored, server).outcome for _ in range(2)] == ["auth_failed", "auth_blocked"]
        until(lambda: Bmc.objects.filter(refused_count=2).exists())
        assert bmc.counters.handshakes == 2


def test_trying_another_profile_forgives_the_stored_one_nothing() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        bad = profile_for(simulated, password="wrong")
        server = server_for(bmc, bad)
        Bmc.objects.update(refused_key=bad.key, refused_count=2)
        worse = replace(ServerFacts.of(server), profile=profile_for(simulated, password="worse"))
        assert [run(worse, server).outcome for _ in range(3)][1:] == ["auth_failed", "auth_blocked"]
        assert run(ServerFacts.of(server), server).outcome == "auth_blocked"
        assert bmc.counters.handshakes == 2
        row = Bmc.objects.get()
        assert (row.refused_key, row.refused_count) == (bad.key, 2)


def test_a_silent_bmc_is_known_within_5_s_and_gets_no_login() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        simulated.call(bmc.set_faults, silent=True)
        test = run(facts_for(bmc, profile_for(simulated)))
        assert test.outcome == Outcome.NO_PRESENCE
        assert seconds(test) < 5
        assert bmc.counters.received == worker.PRESENCE_ROUNDS


def test_a_bmc_that_falls_silent_before_the_login_is_known_within_5_s() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        simulated.call(bmc.set_faults, silent=True)
        facts = facts_for(bmc, profile_for(simulated), workarounds=("skip_auth_capabilities",))
        test = run(facts)
        assert test.outcome == Outcome.TOO_SLOW
        assert seconds(test) < 5.5


def test_a_slow_bmc_tells_what_it_can_within_5_s() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        simulated.call(bmc.set_faults, latency_seconds=0.55)
        test = run(facts_for(bmc, profile_for(simulated)))
        assert test.is_ok
        assert test.facts["is_partial"] is True
        assert test.facts["suite"] == 17
        assert seconds(test) < 5.5
        assert bmc.counters.logins == 1


def test_full_slots_a_low_account_and_old_ipmi() -> None:
    full = replace(DELL, session_slots=0)
    with lab(full, DELL, PROFILES["legacy-ipmi15"], PROFILES["rogue-suite0"]) as simulated:
        fleet, profile = simulated.fleet, profile_for(simulated)
        wants_more = profile_for(simulated, privilege=4)
        simulated.call(fleet[1].set_user, fleet.username, fleet.password, Privilege.OPERATOR)
        tests = [
            run(facts_for(fleet[0], profile)),
            run(facts_for(fleet[1], wants_more)),
            run(facts_for(fleet[2], profile)),
            run(facts_for(fleet[3], profile)),
        ]
        assert [test.outcome for test in tests] == [
            "slots_full", "privilege_too_low", "insecure", "insecure",
        ]  # fmt: skip
        assert all(seconds(test) < 5 for test in tests)
        assert fleet.login_count == 0
        assert "rakp1" not in kinds(fleet[2]) + kinds(fleet[3])


def test_garbage_ends_within_5_s() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        simulated.call(bmc.set_faults, garbage=1.0)
        test = run(facts_for(bmc, profile_for(simulated)))
        assert test.outcome not in (Outcome.OK, Outcome.INTERNAL, "")
        assert seconds(test) < 5.5
        assert bmc.counters.logins <= 1


def test_an_address_outside_gets_no_packet_even_if_the_row_says_so() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        profile = profile_for(simulated)
        facts = facts_for(bmc, profile)
        CredentialProfile.objects.filter(pk=profile.pk).update(networks=["10.0.0.0/8"])
        test = ConnectionTest.objects.create(
            requested_by=operator(), site=facts.site, address=bmc.address, port=bmc.port,
            profile=profile, suite="auto",
        )  # fmt: skip
        tasks.ring()
        until(lambda: ConnectionTest.objects.filter(pk=test.pk, state=Progress.DONE).exists())
        test.refresh_from_db()
        assert test.outcome == "forbidden_address"
        assert bmc.counters.received == 0


@pytest.mark.parametrize(
    ("found", "outcome"), [("169.254.169.254", "forbidden_address"), ("", "name_not_resolved")]
)
def test_a_name_that_leads_elsewhere_by_now_gets_no_packet(
    monkeypatch: pytest.MonkeyPatch, found: str, outcome: str
) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        if not found:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (found, 0))]

    with lab() as simulated:
        bmc = simulated.fleet[0]
        profile = profile_for(simulated, networks=["127.0.0.0/8", "169.254.0.0/16"])
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        test = ConnectionTest.objects.create(
            requested_by=operator(), site=make_site(), address="bmc.example", port=bmc.port,
            profile=profile, suite="auto",
        )  # fmt: skip
        tasks.ring()
        until(lambda: ConnectionTest.objects.filter(pk=test.pk, state=Progress.DONE).exists())
        test.refresh_from_db()
        assert test.outcome == outcome
        assert simulated.fleet[0].counters.received == 0


def test_another_machine_at_the_address_is_said_plainly_and_not_recorded() -> None:
    with lab(DELL, DELL) as simulated:
        profile = profile_for(simulated)
        first = server_for(simulated.fleet[0], profile, guid=simulated.fleet[0].guid)
        second = server_for(simulated.fleet[1], profile, serial="ABC1234")
        simulated.call(simulated.fleet[0].set_faults, wrong_guid=True)
        swapped = run(ServerFacts.of(first), first)
        assert swapped.outcome == Outcome.GUID_DIFFERS
        assert swapped.params["recorded"] == simulated.fleet[0].guid
        assert swapped.params["reported"] == swapped.facts["guid"] != simulated.fleet[0].guid
        other = run(ServerFacts.of(second), second)
        assert (other.outcome, other.params) == (
            Outcome.SERIAL_DIFFERS,
            {"recorded": "ABC1234", "reported": simulated.fleet[1].serial},
        )
        assert set(Bmc.objects.values_list("seen_serial", flat=True)) == {""}


def test_a_serial_that_was_seen_before_is_a_record_too() -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        server = server_for(bmc, profile_for(simulated), serial=bmc.serial.lower())
        assert run(ServerFacts.of(server), server).is_ok
        simulated.call(bmc.set_faults, wrong_serial=True)
        test = run(ServerFacts.of(server), server)
        assert test.outcome == Outcome.SERIAL_DIFFERS
        assert test.params["reported"] == "SWAP000000"


def test_a_chassis_manager_is_not_compared_with_the_serials_of_its_servers() -> None:
    with lab() as simulated:
        server = server_for(simulated.fleet[0], profile_for(simulated), serial="BLADE-1")
        make_server(bmc=server.bmc, serial="BLADE-2", cluster=server.cluster)
        assert run(ServerFacts.of(server), server).is_ok


@pytest.mark.parametrize("bad", [BadFru.MARKUP, BadFru.RANDOM, BadFru.EMPTY, BadFru.DRIBBLE])
def test_a_hostile_inventory_is_bounded_text_or_nothing(bad: BadFru) -> None:
    with lab() as simulated:
        bmc = simulated.fleet[0]
        simulated.call(bmc.set_faults, fru=bad)
        test = run(facts_for(bmc, profile_for(simulated)))
        assert test.is_ok
        assert test.facts["vendor"] == "Dell"
        assert len(test.facts.get("serial", "")) <= 64
        if bad is BadFru.MARKUP:
            assert MARKUP in test.facts["product"]
            assert "\x1b" not in test.facts["product"]


def test_workarounds_reach_the_session() -> None:
    names = ("reticent", "supermicro-x8dth-opensesspriv", "intel-se7520-intel20")
    words = ("skip_auth_capabilities", "open_session_privilege", "padded_username")
    with lab(*[PROFILES[name] for name in names]) as simulated:
        profile = profile_for(simulated)
        for bmc, word in zip(simulated.fleet, words, strict=True):
            plain = run(facts_for(bmc, profile))
            assert plain.outcome in (Outcome.NO_PRESENCE, "auth_failed")
            assert run(facts_for(bmc, profile, workarounds=(word,))).is_ok


def test_polling_uses_the_workarounds_of_the_record() -> None:
    with lab(PROFILES["intel-se7520-intel20"]) as simulated:
        bmc = simulated.fleet[0]
        server = server_for(bmc, profile_for(simulated))
        words = ["padded_username", "no such word", 7]
        Bmc.objects.update(workarounds=words, poll_due_at=Now())
        until(lambda: ServerStatus.objects.filter(server=server, power="on").exists())


def test_two_servers_are_tested_at_once_by_one_worker() -> None:
    with lab(DELL, DELL) as simulated:
        profile = profile_for(simulated)
        simulated.call(simulated.fleet[0].set_faults, silent=True)
        slow, quick = (
            connection_test_order(actor=operator(), facts=facts_for(bmc, profile))
            for bmc in simulated.fleet
        )
        tasks.ring()
        until(lambda: ConnectionTest.objects.filter(state=Progress.DONE).count() == 2)
        for test in (slow, quick):
            test.refresh_from_db()
        assert quick.is_ok
        assert quick.finished_at < slow.finished_at  # type: ignore[operator]  # both are done
