"""For some seconds after the confirmation nothing is sent, and cancelling is sure to win."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.bmc import PowerAction as A
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.testing import make_cluster, make_server, make_user
from apps.inventory.models import Bmc, Server
from apps.jobs import tasks
from apps.jobs.choices import TargetState as S
from apps.jobs.models import CommandAttempt, Job, JobTarget
from apps.jobs.services import job_create, job_stop
from apps.jobs.tests.stage import ScriptedBmc, ScriptedPool, Stage, fleet_server, pass_time
from apps.power.choices import GRACE
from apps.power.lines import countdown
from apps.power.services import power_order
from apps.power.tests.test_udp import is_over, running, servers_of, until
from apps.simulator.thread import FleetThread

HTMX = {"HX-Request": "true"}


@pytest.fixture
def server(db: None) -> Server:
    status = {"power": "on", "last_power": "on", "fault": "", "fault_at": None}
    return fleet_server(name="db-a-07", status=status | {"power_read_at": now_plus(0)})


@pytest.fixture
def bmc(pool: ScriptedPool, server: Server) -> ScriptedBmc:
    return pool.of(server)


def ordered(server: Server, action: A = A.OFF, **options: Any) -> JobTarget:
    actor = make_user(role=Role.OPERATOR)
    job = power_order(server=server, action=action, actor=actor, **options)
    return JobTarget.objects.select_related("job").get(job=job)


# ------------------------------------------------------------------ how long


@pytest.mark.parametrize("action", list(A))
def test_everything_but_power_on_waits_for_the_time_of_the_setting(
    server: Server, settings: Any, action: A
) -> None:
    settings.POWER_GRACE_SECONDS = 5
    ordered(server, action)
    waits = JobTarget.objects.filter(release_at__gt=now_plus(4), release_at__lte=now_plus(5))
    assert waits.exists() == (action in GRACE) == (action is not A.ON)


def test_the_order_dies_120_s_after_its_release_and_not_before(
    server: Server, settings: Any
) -> None:
    settings.POWER_GRACE_SECONDS = 5
    ordered(server)
    rows = JobTarget.objects.filter(not_after__gt=now_plus(124), not_after__lte=now_plus(125))
    assert rows.exists()
    target = JobTarget.objects.get()
    assert target.not_after - target.release_at == timedelta(seconds=120)


def test_a_script_may_ask_for_none_or_for_more(server: Server, settings: Any) -> None:
    settings.POWER_GRACE_SECONDS = 5
    ordered(server, grace_seconds=0)
    assert JobTarget.objects.filter(release_at__lte=now_plus(0)).exists()
    ordered(server, grace_seconds=60)
    assert JobTarget.objects.filter(release_at__gt=now_plus(58)).exists()


@pytest.mark.parametrize("seconds", [-1, 301, 1e9, float("nan")])
def test_other_times_make_no_order(server: Server, seconds: float) -> None:
    with pytest.raises(ValueError, match="grace period"):
        ordered(server, grace_seconds=seconds)
    assert not Job.objects.exists()


# ------------------------------------------------------------------ nothing is sent before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", sorted(GRACE))
def test_until_its_release_nobody_speaks_to_the_bmc(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    target = ordered(server, action, grace_seconds=5)
    stage.step()
    pass_time(4)
    stage.step()
    stage.sweep()
    target.refresh_from_db()
    assert (target.state, bmc.logins, bmc.reads, bmc.controls) == (S.QUEUED, 0, 0, [])
    pass_time(1.1)
    stage.step()
    assert bmc.controls == [action]


@pytest.mark.django_db(transaction=True)
def test_stopped_during_the_grace_it_ends_with_not_one_packet(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = ordered(server, grace_seconds=5)
    actor = target.job.actor
    assert actor is not None
    assert job_stop(job=target.job, actor=actor) == 1
    pass_time(10)
    stage.step()
    target.refresh_from_db()
    assert (target.state, target.result) == (S.CANCELLED, "stopped")
    assert (bmc.logins, bmc.reads, bmc.controls) == (0, 0, [])


@pytest.mark.django_db(transaction=True)
def test_an_order_in_its_grace_holds_up_no_other(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    waiting = ordered(server, A.RESET, grace_seconds=60)
    stage.run(ordered(server, A.OFF, grace_seconds=0))
    waiting.refresh_from_db()
    assert (waiting.state, bmc.controls) == (S.QUEUED, [A.OFF])


@pytest.mark.django_db(transaction=True)
def test_stopped_over_udp_the_bmc_never_hears_of_it() -> None:
    with FleetThread(count=1) as simulated, ExitStack() as stack:
        [server] = servers_of(simulated)
        Bmc.objects.update(poll_due_at=now_plus(3600))  # nobody reads it either
        stack.enter_context(running(tick_seconds=0.05))
        actor = make_user(role=Role.OPERATOR)
        job = power_order(server=server, action=A.OFF, actor=actor, grace_seconds=1)
        tasks.ring()
        job_stop(job=job, actor=actor)
        other = power_order(server=server, action=A.NMI, actor=actor, grace_seconds=1.2)
        until(lambda: simulated.fleet.executed_count(A.NMI) == 1)
        until(lambda: is_over(other))
        assert simulated.fleet.executed_count(A.OFF) == 0
        assert simulated.fleet[0].counters.handshakes == 1  # that of the other order


@pytest.mark.django_db(transaction=True)
def test_stopped_in_the_very_moment_it_is_either_cancelled_or_sent_and_never_both() -> None:
    count = 24
    with FleetThread(count=count) as simulated, ExitStack() as stack:
        servers = servers_of(simulated)
        Bmc.objects.update(poll_due_at=now_plus(3600))
        actor = make_user(role=Role.OPERATOR)
        stack.enter_context(running(tick_seconds=0.02))
        jobs = [
            power_order(server=server, action=A.OFF, actor=actor, grace_seconds=1.5)
            for server in servers
        ]
        dice = random.Random(7)
        release = JobTarget.objects.order_by("-release_at").values_list("release_at", flat=True)[0]

        def stop(job: Job) -> None:
            try:
                left = (release - timezone.now()).total_seconds()
                time.sleep(max(0.0, left + dice.uniform(-0.1, 0.15)))
                job_stop(job=job, actor=actor)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=stop, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: not Job.objects.filter(finished_at=None).exists())
        states = dict(JobTarget.objects.values_list("server__bmc__address", "state"))
        for bmc in simulated.fleet:
            ran = bmc.executed_count()
            assert (states[bmc.address], ran) in ((S.CANCELLED, 0), (S.SUCCEEDED, 1))
        sent = CommandAttempt.objects.exclude(sent_at=None).values("target")
        assert not JobTarget.objects.filter(state=S.CANCELLED, pk__in=sent).exists()


# ------------------------------------------------------------------ on the page


def page(client: Client, server: Server) -> str:
    return client.get(server.get_absolute_url()).content.decode()


def test_the_server_says_when_it_is_sent_and_how_to_cancel(
    client: Client, server: Server, operator: Any
) -> None:
    target = ordered(server, grace_seconds=5)
    client.force_login(operator)
    text = page(client, server)
    target.refresh_from_db()
    assert "Hard power off is sent <time" in text
    assert 'data-countdown="in {n} s"' in text
    assert f">at {target.release_at:%H:%M:%S} UTC</time>" in text  # without JavaScript
    assert "Nothing has been sent yet. Leaving this page does not cancel it." in text
    assert f'action="/servers/{server.pk}/orders/{target.job_id}/stop"' in text


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_cancel(client: Client, server: Server, operator: Any, headers: dict[str, str]) -> None:
    target = ordered(server, grace_seconds=5)
    client.force_login(operator)
    url = f"/servers/{server.pk}/orders/{target.job_id}/stop"
    response = client.post(url, headers=headers)
    text = response.content.decode() if headers else page(client, server)
    assert response.status_code == (200 if headers else 303)
    assert "Hard power off stopped <time" in text
    assert "Nothing was sent." in text
    assert f"/orders/{target.job_id}/stop" not in text
    target.refresh_from_db()
    assert target.state == S.CANCELLED
    assert client.post(url, headers=headers).status_code == response.status_code  # twice is once
    if headers:
        assert response.content.decode().startswith(f'<div id="server-orders-{server.pk}"')


@pytest.mark.parametrize(
    ("who", "status"), [("readonly", 403), ("user", 403), ("outsider", 404), ("admin", 303)]
)
def test_who_may_cancel(
    client: Client, server: Server, who: str, status: int, request: pytest.FixtureRequest
) -> None:
    target = ordered(server, grace_seconds=5)
    client.force_login(request.getfixturevalue(who))
    url = f"/servers/{server.pk}/orders/{target.job_id}/stop"
    assert client.post(url).status_code == status
    target.refresh_from_db()
    assert target.state == (S.CANCELLED if status == 303 else S.QUEUED)


def test_anonymous_is_sent_to_sign_in(client: Client, server: Server) -> None:
    target = ordered(server, grace_seconds=5)
    response = client.post(f"/servers/{server.pk}/orders/{target.job_id}/stop")
    assert (response.status_code, "sign-in" in response["Location"]) == (302, True)


def test_orders_of_other_servers_and_wild_numbers_are_404(
    client: Client, server: Server, operator: Any
) -> None:
    other = ordered(make_server(cluster=make_cluster("elsewhere")), grace_seconds=5)
    mine = ordered(fleet_server(), grace_seconds=5)
    client.force_login(operator)
    for job in (other.job_id, mine.job_id, 999_999, 10**30):
        assert client.post(f"/servers/{server.pk}/orders/{job}/stop").status_code == 404
    assert client.get(f"/servers/{server.pk}/orders/{mine.job_id}/stop").status_code == 405
    assert set(JobTarget.objects.values_list("state", flat=True)) == {S.QUEUED}


def test_a_job_of_many_servers_has_no_cancel_on_the_page_of_one(
    client: Client, server: Server, operator: Any
) -> None:
    params = {"action": "off"}
    targets = [server, fleet_server()]
    job = job_create(kind="power", params=params, targets=targets, actor=operator, grace_seconds=5)
    client.force_login(operator)
    assert f"/orders/{job.pk}/stop" not in page(client, server)


def test_the_button_shows_only_to_those_who_may_act(
    client: Client, server: Server, operator: Any, readonly: Any
) -> None:
    ordered(server, grace_seconds=5)
    for person, may in ((operator, True), (readonly, False)):
        client.force_login(person)
        assert ('class="bp-sv may-act' in page(client, server)) is may


@pytest.mark.parametrize(("action", "says"), [("on", False), ("soft_off", True), ("reset", True)])
def test_the_confirmation_says_how_long_it_waits(
    client: Client, server: Server, operator: Any, settings: Any, action: str, says: bool
) -> None:
    settings.POWER_GRACE_SECONDS = 5
    client.force_login(operator)
    for headers in ({}, HTMX):
        text = client.get(f"/servers/{server.pk}/power/{action}/", headers=headers).content.decode()
        assert ("Sent 5 s after you confirm. You can cancel until then." in text) is says


def test_a_countdown_has_its_time_in_the_page() -> None:
    html = countdown(timezone.now())
    assert 'data-over="now"' in html
