"""A protected server gets no power command: not from the page, the service, or a worker."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client

from apps.audit.models import AuditEntry
from apps.bmc import PowerAction
from apps.bmc import PowerAction as A
from apps.clusters.choices import Role
from apps.core.actions import row_actions
from apps.core.dbtime import now_plus
from apps.core.faults import fault_of
from apps.core.testing import make_user
from apps.inventory.models import Server, ServerStatus
from apps.inventory.selectors import SERVER_PAGE
from apps.jobs.choices import TargetState as S
from apps.jobs.guards import Veto, Vetoed, guard_register, guards_of, vetoes
from apps.jobs.models import CommandAttempt, Job, JobTarget
from apps.jobs.services import job_create
from apps.jobs.tests.stage import ScriptedBmc, ScriptedPool, Stage, elsewhere, fleet_server
from apps.power.guards import ProtectedServers
from apps.power.services import ServerProtected, identify_order, power_order

ACTIONS = list(PowerAction)
WHY = "runs payroll <b>until</b> Friday"


def protect(server: Server) -> None:
    Server.objects.filter(pk=server.pk).update(is_protected=True, protected_reason=WHY)


def order(server: Server, action: A, **options: Any) -> JobTarget:
    actor = make_user(role=Role.OPERATOR)
    job = power_order(server=server, action=action, actor=actor, **options)
    return JobTarget.objects.get(job=job)


@pytest.fixture
def server(db: None) -> Server:
    return fleet_server()


@pytest.fixture
def bmc(pool: ScriptedPool, server: Server) -> ScriptedBmc:
    return pool.of(server)


# ------------------------------------------------------------------ at the order


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("who", ["operator", "admin"])
def test_no_order_of_anybody_is_taken(
    server: Server, action: A, who: str, request: pytest.FixtureRequest
) -> None:
    protect(server)
    person = request.getfixturevalue(who)
    # The object at hand may be older than the protection.
    with pytest.raises(ServerProtected) as refused:
        power_order(server=server, action=action, actor=person)
    assert refused.value.reason == WHY
    assert not Job.objects.exists()
    assert not AuditEntry.objects.exists()


def test_who_may_not_order_anyway_is_not_told_the_reason(server: Server, readonly: Any) -> None:
    protect(server)
    with pytest.raises(PermissionDenied):
        power_order(server=server, action=A.OFF, actor=readonly)


def test_one_protected_server_keeps_a_whole_job_from_being_made(
    server: Server, operator: Any
) -> None:
    other = fleet_server()
    protect(other)
    with pytest.raises(Vetoed) as refused:
        job_create(kind="power", params={"action": "off"}, targets=[server, other], actor=operator)
    assert refused.value.server == other
    assert refused.value.veto == Veto("protected", {"reason": WHY})
    assert not Job.objects.exists()


def test_a_repeated_request_is_the_earlier_order_also_when_it_is_protected_now(
    server: Server, operator: Any
) -> None:
    key = uuid.uuid4()
    first = power_order(server=server, action=A.OFF, actor=operator, request_key=key)
    protect(server)
    again = power_order(server=server, action=A.OFF, actor=operator, request_key=key)
    assert again == first


def test_the_identify_light_and_reading_stay_allowed(server: Server, user: Any) -> None:
    protect(server)
    assert identify_order(server=server, actor=user).kind == "identify"


# ------------------------------------------------------------------ at the worker


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_protected_after_the_order_it_ends_before_anything_is_said_to_the_bmc(
    stage: Stage, pool: ScriptedPool, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    target = order(server, action)
    protect(server)
    target = stage.run(target)
    assert (target.state, target.result) == (S.FAILED, "protected")
    assert target.result_params == {"reason": WHY}
    assert (bmc.controls, bmc.reads, bmc.logins) == ([], 0, 0)
    assert not CommandAttempt.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_protected_in_the_last_moment_it_is_refused_by_the_statement_that_records_sent(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    if action is A.ON:
        bmc.power = bmc.power.OFF

    async def protect_now() -> None:
        await elsewhere(lambda: protect(server))

    bmc.before_read = protect_now  # the claim and its look at the guards are over
    target = stage.run(order(server, action))
    assert (target.state, target.result) == (S.FAILED, "protected")
    assert bmc.controls == []
    attempt = CommandAttempt.objects.get()
    assert (attempt.outcome, attempt.sent_at) == ("not_sent", None)
    assert ServerStatus.objects.get().transition == ""


@pytest.mark.django_db(transaction=True)
def test_stopped_and_protected_it_is_stopped(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.OFF)

    async def both() -> None:
        def write() -> None:
            protect(server)
            Job.objects.update(stop_requested_at=now_plus(0))

        await elsewhere(write)

    bmc.before_read = both
    target = stage.run(target)
    assert (target.state, bmc.controls) == (S.CANCELLED, [])


@pytest.mark.django_db(transaction=True)
def test_the_light_of_a_protected_server_is_lit(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    protect(server)
    identify_order(server=server, actor=make_user(role=Role.USER))
    target = stage.run(JobTarget.objects.get())
    assert bmc.identify_seconds == 15
    assert target.state in (S.SUCCEEDED, S.ACCEPTED)


# ------------------------------------------------------------------ on the pages


@pytest.mark.parametrize("action", ACTIONS)
def test_the_confirmation_says_why_and_who_may_lift_it_and_has_no_button(
    client: Client, operator: Any, action: A
) -> None:
    server = fleet_server(status={"power": "on", "power_read_at": None, "fault": ""})
    protect(server)
    client.force_login(operator)
    url = f"/servers/{server.pk}/power/{action.value}/"
    for headers in ({}, {"HX-Request": "true"}):
        text = client.get(url, headers=headers).content.decode()
        assert "runs payroll &lt;b&gt;until&lt;/b&gt; Friday" in text
        assert "An admin may lift the protection" in text
        assert "data-sends" not in text
        assert 'name="request_key"' not in text
    form = {"request_key": str(uuid.uuid4()), "typed_name": server.name}
    response = client.post(url, form)
    assert response.status_code == 422
    assert "An admin may lift the protection" in response.content.decode()
    assert not Job.objects.exists()


def test_a_protection_that_comes_between_the_page_and_its_button_is_told(
    client: Client, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fleet_server(status={"power": "on", "power_read_at": now_plus(0), "fault": ""})
    client.force_login(operator)

    def protect_first(**order: Any) -> Job:
        protect(server)
        return power_order(**order)

    monkeypatch.setattr("apps.power.views.power_order", protect_first)
    form = {"request_key": str(uuid.uuid4())}
    response = client.post(f"/servers/{server.pk}/power/off/", form)
    assert response.status_code == 422
    text = response.content.decode()
    assert "An admin may lift the protection" in text
    assert "data-sends" not in text


def test_the_page_of_the_server_says_it_and_its_buttons_do_nothing(
    client: Client, server: Server, operator: Any
) -> None:
    protect(server)
    client.force_login(operator)
    text = client.get(server.get_absolute_url()).content.decode()
    assert "Protected: “runs payroll &lt;b&gt;until&lt;/b&gt; Friday”." in text
    for action in ACTIONS:
        assert f'/power/{action.value}/"' not in text
    assert f'/servers/{server.pk}/identify"' in text


def test_only_power_actions_are_kept_from_it(server: Server) -> None:
    protect(server)
    server.refresh_from_db()
    kept = {action.name for action in row_actions(SERVER_PAGE) if action.why_not(server)}
    assert {action.value for action in ACTIONS} <= kept
    assert "identify" not in kept


# ------------------------------------------------------------------ the registry


def test_a_guard_of_another_kind_holds_nothing_against_it(server: Server) -> None:
    protect(server)
    assert vetoes("power", [server.pk]) == {server.pk: Veto("protected", {"reason": WHY})}
    assert vetoes("identify", [server.pk]) == {}
    assert guards_of("identify") == []


def test_signing_in_again_is_no_second_guard() -> None:
    guard_register(ProtectedServers())
    assert len(guards_of("power")) == 1


def test_the_words_are_the_same_everywhere() -> None:
    fault = fault_of("protected", {"reason": "x" * 200})
    assert "x" * 200 in fault.title
    assert fault.next_step == "An admin lifts the protection."
