"""Soft off, then hard off: only if it was chosen before, and once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.bmc import BmcUnreachable, PowerState
from apps.bmc import PowerAction as A
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.dbtime import now_plus
from apps.core.testing import make_user
from apps.inventory.models import Server, ServerStatus, Tag
from apps.jobs import books, tasks
from apps.jobs.books import Move, held_of
from apps.jobs.choices import TargetState as S
from apps.jobs.handlers import End
from apps.jobs.models import CommandAttempt, Job, JobTarget
from apps.jobs.services import RequestKeyReused, job_stop
from apps.jobs.tests.stage import (
    ScriptedBmc,
    ScriptedPool,
    Stage,
    elsewhere,
    fleet_server,
    make_due,
    pass_time,
)
from apps.power.handler import PowerHandler
from apps.power.services import power_order
from apps.power.tests.test_udp import running, servers_of, until
from apps.power.timing import PowerTiming
from apps.simulator.thread import FleetThread

pytestmark = pytest.mark.django_db(transaction=True)
LABEL = "If it is still on after 10 minutes, cut the power"


@pytest.fixture
def server(transactional_db: None) -> Server:
    status = {"power": "on", "last_power": "on", "fault": "", "fault_at": None}
    return fleet_server(name="db-a-07", status=status | {"power_read_at": now_plus(0)})


@pytest.fixture
def bmc(pool: ScriptedPool, server: Server) -> ScriptedBmc:
    bmc = pool.of(server)
    bmc.lag_seconds = 3600  # the operating system does not care
    return bmc


def soft_off(server: Server, *, escalate: bool = True, actor: User | None = None) -> JobTarget:
    person = actor or make_user(role=Role.OPERATOR)
    job = power_order(
        server=server, action=A.SOFT_OFF, actor=person, reason="fan swap", escalate=escalate
    )
    return JobTarget.objects.select_related("job__actor").get(job=job)


def let_it_fail(stage: Stage) -> None:
    stage.step()
    pass_time(601)
    stage.step()


def actions() -> list[tuple[str, str, str]]:
    rows = JobTarget.objects.order_by("pk")
    return [(row.job.params["action"], row.state, row.result) for row in rows]


# ------------------------------------------------------------------ the straight way


def test_what_was_chosen_before_follows_in_the_same_moment_and_cuts_the_power_once(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = soft_off(server)
    let_it_fail(stage)
    assert actions() == [("soft_off", "failed", "still_on"), ("off", "queued", "")]
    follower = Job.objects.get(follows=target)
    assert (follower.actor, follower.reason) == (target.job.actor, "fan swap")
    assert follower.params == {"action": "off"}
    bmc.lag_seconds = 0
    stage.run(follower.targets.get())
    assert actions() == [("soft_off", "failed", "still_on"), ("off", "succeeded", "verified")]
    assert bmc.controls == [A.SOFT_OFF, A.OFF]
    assert not Job.objects.filter(finished_at=None).exists()
    per_target = CommandAttempt.objects.values_list("target", flat=True)
    assert len(set(per_target)) == len(per_target) == 2  # one datagram each
    told = list(AuditEntry.objects.order_by("pk").values_list("action", "after"))
    assert [action for action, _ in told] == ["power.order", "power.command"] * 2
    assert told[2][1] == {"job": follower.pk, "action": "off", "follows": target.job_id}


@pytest.mark.parametrize("is_followed", [False])
def test_without_the_choice_nothing_follows(
    stage: Stage, server: Server, bmc: ScriptedBmc, is_followed: bool
) -> None:
    soft_off(server, escalate=False)
    let_it_fail(stage)
    assert actions() == [("soft_off", "failed", "still_on")]
    assert Job.objects.exclude(follows=None).exists() is is_followed


def test_a_soft_off_that_works_is_not_followed(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.lag_seconds = 0
    stage.run(soft_off(server))
    assert actions() == [("soft_off", "succeeded", "verified")]


def test_a_state_that_cannot_be_read_is_no_reason_to_cut_the_power(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = soft_off(server)
    stage.step()
    bmc.fail("chassis_status", *[BmcUnreachable()] * 20)
    pass_time(601)
    stage.run(target)
    assert actions() == [("soft_off", "unknown", "effect_not_readable")]
    assert bmc.controls == [A.SOFT_OFF]


def test_it_went_off_by_itself_just_then_and_nothing_is_sent(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = soft_off(server)
    let_it_fail(stage)
    bmc.power = PowerState.OFF
    stage.run(JobTarget.objects.exclude(pk=target.pk).get())
    assert actions()[1] == ("off", "skipped", "already_off")
    assert bmc.controls == [A.SOFT_OFF]


def test_the_same_end_written_twice_is_followed_once(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = soft_off(server)
    stage.step()
    target.refresh_from_db()
    end = End(S.FAILED, "still_on")
    move = Move(held_of(target), S.FAILED, end=end, follow_up={"action": "off"})
    fresh = uuid.uuid4()
    books.apply([move], fresh=fresh)
    books.apply([move], fresh=fresh, is_retry=True)  # the commit's answer got lost
    books.apply([move], fresh=uuid.uuid4())  # somebody who still thinks it is open
    assert Job.objects.filter(follows=target).count() == 1


def test_somebody_elses_command_meanwhile_ends_it_without_a_follow_up(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    soft_off(server)
    stage.step()
    power_order(server=server, action=A.RESET, actor=make_user(role=Role.OPERATOR))
    stage.step()
    pass_time(601)
    stage.step()
    assert actions()[0] == ("soft_off", "unknown", "superseded")
    assert A.OFF not in bmc.controls


# ------------------------------------------------------------------ asked again at that moment


def protect(server: Server, actor: User) -> None:
    Server.objects.filter(pk=server.pk).update(is_protected=True, protected_reason="payroll")


def revoke(server: Server, actor: User) -> None:
    RoleGrant.objects.filter(user=actor).update(role=Role.USER)


def disable(server: Server, actor: User) -> None:
    User.objects.filter(pk=actor.pk).update(is_active=False)


def remove(server: Server, actor: User) -> None:
    actor.delete()


@pytest.mark.parametrize(
    ("change", "code"),
    [(protect, "protected"), (revoke, "not_allowed"), (disable, "not_allowed"),
     (remove, "not_allowed")],
)  # fmt: skip
def test_rights_and_protection_are_asked_for_again(
    stage: Stage,
    server: Server,
    bmc: ScriptedBmc,
    change: Callable[[Server, User], None],
    code: str,
) -> None:
    target = soft_off(server)
    stage.step()
    assert target.job.actor is not None
    change(server, target.job.actor)
    pass_time(601)
    stage.step()
    assert actions() == [("soft_off", "failed", "still_on"), ("off", "failed", code)]
    stage.step()
    assert bmc.controls == [A.SOFT_OFF]
    assert not Job.objects.filter(finished_at=None).exists()
    assert JobTarget.objects.filter(ended_at=None).count() == 0


def test_protected_between_the_follow_up_and_its_command_it_is_refused_too(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = soft_off(server)
    let_it_fail(stage)

    async def protect_now() -> None:
        await elsewhere(lambda: protect(server, target.job.actor or User()))

    bmc.before_read = protect_now
    stage.run(JobTarget.objects.exclude(pk=target.pk).get())
    assert actions()[1] == ("off", "failed", "protected")
    assert bmc.controls == [A.SOFT_OFF]


def test_called_off_while_the_soft_off_is_at_work_nothing_follows(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = soft_off(server)
    stage.step()
    assert target.job.actor is not None
    assert job_stop(job=target.job, actor=target.job.actor) == 0  # the soft off is sent: verified
    pass_time(601)
    stage.step()
    assert actions() == [("soft_off", "failed", "still_on")]
    assert bmc.controls == [A.SOFT_OFF]


def test_called_off_when_it_has_just_followed_stops_what_followed(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = soft_off(server)
    let_it_fail(stage)
    assert target.job.actor is not None
    assert job_stop(job=target.job, actor=target.job.actor) == 1
    stage.step()
    assert actions()[1] == ("off", "cancelled", "stopped")
    assert bmc.controls == [A.SOFT_OFF]
    assert AuditEntry.objects.filter(action="job.stop").count() == 1


# ------------------------------------------------------------------ who may choose it


def test_who_may_not_cut_the_power_may_not_choose_it(server: Server) -> None:
    user = make_user(role=Role.USER, cluster=server.cluster)
    with pytest.raises(PermissionDenied):
        soft_off(server, actor=user)
    assert not Job.objects.exists()
    soft_off(server, actor=user, escalate=False)


@pytest.mark.parametrize("action", [a for a in A if a is not A.SOFT_OFF])
def test_nothing_else_escalates(server: Server, action: A) -> None:
    with pytest.raises(ValueError, match="only a soft off"):
        power_order(
            server=server, action=action, actor=make_user(role=Role.OPERATOR), escalate=True
        )


@pytest.mark.parametrize("value", [False, 1, "yes", None])
def test_only_a_plain_yes_is_a_choice(value: object) -> None:
    with pytest.raises(ValueError, match="only a soft off"):
        PowerHandler().check_params({"action": "soft_off", "escalate": value})


def test_another_choice_with_the_same_key_is_another_order(server: Server) -> None:
    actor, key = make_user(role=Role.OPERATOR), uuid.uuid4()
    options: dict[str, Any] = {"server": server, "action": A.SOFT_OFF, "request_key": key}
    power_order(actor=actor, **options)
    with pytest.raises(RequestKeyReused):
        power_order(actor=actor, escalate=True, **options)


# ------------------------------------------------------------------ on the pages


def url(server: Server, action: str = "soft_off") -> str:
    return f"/servers/{server.pk}/power/{action}/"


def sent(**fields: str) -> dict[str, str]:
    return {"request_key": str(uuid.uuid4()), "reason": "", **fields}


def test_the_choice_is_offered_to_operators_with_soft_off_only(
    client: Client, server: Server
) -> None:
    cluster = server.cluster
    for role, action, is_offered in (
        (Role.OPERATOR, "soft_off", True),
        (Role.USER, "soft_off", False),
        (Role.OPERATOR, "off", False),
        (Role.OPERATOR, "on", False),
    ):
        client.force_login(make_user(role=role, cluster=cluster))
        assert (LABEL in client.get(url(server, action)).content.decode()) is is_offered


def test_a_forged_choice_of_somebody_who_may_not_is_left_out(
    client: Client, server: Server
) -> None:
    client.force_login(make_user(role=Role.USER, cluster=server.cluster))
    assert client.post(url(server), sent(escalate="on")).status_code == 303
    assert Job.objects.get().params == {"action": "soft_off"}


def test_ticked_it_is_in_the_order_and_said_on_the_page(client: Client, server: Server) -> None:
    client.force_login(make_user(role=Role.OPERATOR))
    client.post(url(server), sent(escalate="on"))
    job = Job.objects.get()
    assert job.params == {"action": "soft_off", "escalate": True}
    text = client.get(server.get_absolute_url()).content.decode()
    assert "If it is still on after 10 minutes, the power is cut." in text


def test_in_production_the_name_is_typed_for_the_choice_alone(
    client: Client, server: Server
) -> None:
    server.tags.add(Tag.objects.create(name="Prod"))
    client.force_login(make_user(role=Role.OPERATOR))
    text = client.get(url(server)).content.decode()
    assert "Type db-a-07 to confirm that the power may be cut. It is tagged prod." in text
    for typed in ("", "db-a-08"):
        response = client.post(url(server), sent(escalate="on", typed_name=typed))
        assert response.status_code == 422
        assert "That is not the name of this server" in response.content.decode()
    assert not Job.objects.exists()
    assert client.post(url(server), sent()).status_code == 303
    typed_form = sent(escalate="on", typed_name="db-a-07")
    assert client.post(url(server), typed_form).status_code == 303
    assert Job.objects.filter(params__escalate=True).count() == 1


def test_the_page_tells_the_whole_story(
    client: Client, stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    operator = make_user(role=Role.OPERATOR)
    client.force_login(operator)

    def page() -> str:
        return client.get(server.get_absolute_url()).content.decode()

    target = soft_off(server, actor=operator)
    stage.step()
    target.refresh_from_db()
    assert target.verify_until is not None
    text = page()
    assert f"{target.verify_until:%H:%M:%S} UTC</time>, the power is cut." in text
    assert "Do not cut the power" in text
    pass_time(601)
    make_due()
    stage.step()
    text = page()
    assert "Chosen with the soft off, which left it on:" in text
    assert "The power is cut, as chosen before." not in text  # history asks for nothing
    bmc.lag_seconds = 0
    stage.run(JobTarget.objects.exclude(pk=target.pk).get())
    assert "Off, verified" in page()


def test_the_page_says_that_it_was_called_off(
    client: Client, stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    operator = make_user(role=Role.OPERATOR)
    client.force_login(operator)
    target = soft_off(server, actor=operator)
    stage.step()
    response = client.post(
        f"/servers/{server.pk}/orders/{target.job_id}/stop", headers={"HX-Request": "true"}
    )
    text = response.content.decode()
    assert "The power is not cut: called off" in text
    assert "Do not cut the power" not in text
    pass_time(601)
    stage.step()
    text = client.get(server.get_absolute_url()).content.decode()
    assert "The power was not cut: it was called off." in text


# ------------------------------------------------------------------ over UDP


def test_over_udp_an_ignored_soft_off_is_followed_by_one_hard_off(settings: Any) -> None:
    settings.POWER_TIMING = PowerTiming(verify_soft_off=2, first_read=0.2)
    with FleetThread(count=2) as simulated, running(tick_seconds=0.1):
        servers = servers_of(simulated)
        for bmc in simulated.fleet:
            simulated.call(bmc.set_faults, ignore_soft_off=True)
        actor = make_user(role=Role.OPERATOR)
        for server, choice in zip(servers, (True, False), strict=True):
            power_order(server=server, action=A.SOFT_OFF, actor=actor, escalate=choice)
        tasks.ring()
        until(lambda: JobTarget.objects.filter(job__params__action="off").exists())
        until(lambda: not Job.objects.filter(finished_at=None).exists())
        first, second = simulated.fleet
        assert (first.executed_count(A.SOFT_OFF), first.executed_count(A.OFF)) == (1, 1)
        assert (second.executed_count(A.SOFT_OFF), second.executed_count(A.OFF)) == (1, 0)
        assert (first.power, second.power) == (PowerState.OFF, PowerState.ON)
        assert ServerStatus.objects.get(server=servers[0]).power == "off"
        assert JobTarget.objects.filter(ended_at__lte=Now()).count() == 3
