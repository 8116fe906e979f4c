from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import celery
import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connections
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.bmc import PowerAction
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.testing import make_cluster, make_user
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.inventory.selectors import actions_for
from apps.inventory.services.reading import servers_watch
from apps.jobs.choices import TargetState
from apps.jobs.models import Job, JobTarget
from apps.jobs.selectors import (
    jobs_visible_to,
    open_targets_of_server,
    targets_of_server,
    targets_visible_to,
)
from apps.jobs.services import RequestKeyReused, job_create, job_stop
from apps.jobs.tests.stage import fleet_server
from apps.jobs.worker.registry import worker_alive
from apps.power.choices import ACTION_ROLE
from apps.power.selectors import power_open, power_orders
from apps.power.services import power_order

EVERYBODY = ("admin", "operator", "user", "readonly", "outsider")


@pytest.fixture
def server(db: None) -> Server:
    return fleet_server()


@pytest.mark.parametrize("action", list(PowerAction))
@pytest.mark.parametrize("who", EVERYBODY)
def test_who_may_order_what(
    server: Server, action: PowerAction, who: str, request: pytest.FixtureRequest
) -> None:
    person: User = request.getfixturevalue(who)
    may = who in ("admin", "operator") or (who == "user" and ACTION_ROLE[action] is Role.USER)
    shown = {one.name for one in actions_for(person, server)}
    assert (action.value in shown) is may
    if may:
        job = power_order(server=server, action=action, actor=person)
        assert (job.kind, job.params, job.actor) == ("power", {"action": action.value}, person)
    else:
        with pytest.raises(PermissionDenied):
            power_order(server=server, action=action, actor=person)
        assert not Job.objects.exists()
        assert not AuditEntry.objects.exists()


def test_a_disabled_person_orders_nothing(server: Server, operator: User) -> None:
    operator.is_active = False
    operator.save()
    with pytest.raises(PermissionDenied):
        power_order(server=server, action=PowerAction.ON, actor=operator)


def test_an_order_is_a_job_a_target_and_an_audit_entry(server: Server, operator: User) -> None:
    job = power_order(server=server, action=PowerAction.OFF, actor=operator, reason="fan swap")
    target = JobTarget.objects.get()
    assert (target.job, target.server, target.bmc) == (job, server, server.bmc)
    assert (target.state, target.server_name) == (TargetState.QUEUED, server.name)
    assert JobTarget.objects.filter(not_after__gt=now_plus(115), not_after__lte=now_plus(120))
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason, entry.actor) == ("power.order", "fan swap", operator)
    assert entry.after == {"job": job.pk, "action": "off"}


def test_the_same_request_twice_is_one_job(server: Server, operator: User) -> None:
    key = uuid.uuid4()
    jobs = {
        power_order(server=server, action=PowerAction.OFF, actor=operator, request_key=key).pk
        for _ in range(3)
    }
    assert len(jobs) == Job.objects.count() == JobTarget.objects.count() == 1


def test_the_key_of_another_order_is_refused(server: Server, operator: User, admin: User) -> None:
    key = uuid.uuid4()
    power_order(server=server, action=PowerAction.OFF, actor=operator, request_key=key)
    others: list[dict[str, Any]] = [
        {"server": server, "action": PowerAction.ON, "actor": operator},
        {"server": server, "action": PowerAction.OFF, "actor": admin},
        {"server": fleet_server(), "action": PowerAction.OFF, "actor": operator},
    ]
    for other in others:
        with pytest.raises(RequestKeyReused):
            power_order(**other, request_key=key)
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_requests_with_one_key_are_one_job() -> None:
    server, key = fleet_server(), uuid.uuid4()
    operator = make_user("operator", Role.OPERATOR)
    start = threading.Barrier(10)

    def click(_: int) -> int:
        try:
            start.wait(timeout=10)
            return power_order(
                server=server, action=PowerAction.RESET, actor=operator, request_key=key
            ).pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as clicks:
        jobs = set(clicks.map(click, range(50)))
    assert len(jobs) == Job.objects.count() == JobTarget.objects.count() == 1
    assert AuditEntry.objects.count() == 1


def test_another_broken_rule_is_not_taken_for_a_repeated_request(
    server: Server, operator: User
) -> None:
    with pytest.raises(IntegrityError):
        job_create(
            kind="power",
            params={"action": "off"},
            targets=[server, server],
            actor=operator,
            request_key=uuid.uuid4(),
        )


@pytest.mark.parametrize(
    ("params", "has_server"), [({"action": "explode"}, True), ({"action": "off"}, False)]
)
def test_nonsense_makes_no_job(
    server: Server, operator: User, params: dict[str, Any], has_server: bool
) -> None:
    targets = [server] if has_server else []
    with pytest.raises(ValueError):  # noqa: PT011  two sentences
        job_create(kind="power", params=params, targets=targets, actor=operator)
    assert not Job.objects.exists()


# ------------------------------------------------------------------ bells


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    rung: list[str] = []
    monkeypatch.setattr(
        celery.current_app, "send_task", lambda name, queue, **_: rung.append(queue)
    )
    return rung


def test_the_owner_is_rung_when_the_order_is_committed(
    server: Server, operator: User, bells: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    worker_alive("w1", "", "host", 1)
    worker_alive("elsewhere", "", "host", 2)
    worker_alive("w2", "", "host", 3)
    with django_capture_on_commit_callbacks() as callbacks:
        power_order(server=server, action=PowerAction.OFF, actor=operator)
        assert bells == []
    for callback in callbacks:
        callback()
    assert len(bells) == 1
    assert bells[0] in ("bmc.w1", "bmc.w2", "bmc.elsewhere")


def test_a_dead_broker_costs_the_person_nothing(
    server: Server,
    operator: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    def dead(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(celery.current_app, "send_task", dead)
    worker_alive("w1", "", "host", 1)
    with django_capture_on_commit_callbacks(execute=True):
        job = power_order(server=server, action=PowerAction.OFF, actor=operator)
    assert Job.objects.filter(pk=job.pk).exists()


def test_without_a_worker_nobody_is_rung(
    server: Server, operator: User, bells: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        power_order(server=server, action=PowerAction.OFF, actor=operator)
    assert bells == []


# ------------------------------------------------------------------ stop


def test_stop_cancels_what_is_not_sent_and_only_that(operator: User) -> None:
    states = [TargetState.QUEUED, TargetState.INTENT, TargetState.SENT, TargetState.VERIFYING]
    servers = [fleet_server() for _ in states]
    job = job_create(kind="power", params={"action": "off"}, targets=servers, actor=operator)
    for server, state in zip(servers, states, strict=True):
        JobTarget.objects.filter(server=server).update(state=state)
    assert job_stop(job=job, actor=operator) == 2
    found = list(JobTarget.objects.order_by("pk").values_list("state", flat=True))
    assert found == ["cancelled", "cancelled", "sent", "verifying"]
    ended = job.targets.values_list("state", flat=True)
    assert sorted(ended) == ["cancelled", "cancelled", "sent", "verifying"]
    job.refresh_from_db()
    assert job.stop_requested_at is not None
    assert (job.stopped_by, job.finished_at) == (operator, None)
    assert job_stop(job=job, actor=operator) == 0
    assert AuditEntry.objects.filter(action="job.stop").count() == 1


def test_a_stopped_job_with_nothing_sent_is_finished(server: Server, operator: User) -> None:
    job = power_order(server=server, action=PowerAction.OFF, actor=operator)
    job_stop(job=job, actor=operator)
    job.refresh_from_db()
    assert job.finished_at is not None


def test_a_finished_job_is_not_stopped(server: Server, operator: User) -> None:
    job = power_order(server=server, action=PowerAction.OFF, actor=operator)
    JobTarget.objects.update(state=TargetState.SUCCEEDED, ended_at=Now())
    Job.objects.update(finished_at=Now())
    assert job_stop(job=job, actor=operator) == 0
    job.refresh_from_db()
    assert job.stop_requested_at is None


@pytest.mark.parametrize(
    ("who", "may"),
    [("admin", True), ("operator", True), ("user", True), ("readonly", False), ("outsider", False)],
)
def test_who_may_stop_a_job_that_a_user_ordered(
    server: Server, user: User, who: str, may: bool, request: pytest.FixtureRequest
) -> None:
    job = power_order(server=server, action=PowerAction.ON, actor=user)
    person: User = request.getfixturevalue(who)
    if may:
        assert job_stop(job=job, actor=person) == 1
    else:
        with pytest.raises(PermissionDenied):
            job_stop(job=job, actor=person)


def test_operator_of_some_of_the_servers_is_not_enough(operator: User, admin: User) -> None:
    other = fleet_server(cluster=make_cluster("other"))
    job = job_create(
        kind="power", params={"action": "off"}, targets=[fleet_server(), other], actor=admin
    )
    with pytest.raises(PermissionDenied):
        job_stop(job=job, actor=operator)


# ------------------------------------------------------------------ what pages read


def test_jobs_are_seen_by_who_sees_one_of_their_servers(
    server: Server, operator: User, readonly: User, outsider: User
) -> None:
    other = fleet_server(cluster=make_cluster("elsewhere"))
    job = job_create(
        kind="power", params={"action": "off"}, targets=[server, other], actor=operator
    )
    alone = power_order(server=server, action=PowerAction.ON, actor=operator)
    assert list(jobs_visible_to(readonly)) == [alone, job]
    assert list(jobs_visible_to(outsider)) == [job]
    assert [target.server for target in targets_visible_to(outsider, job)] == [other]


def test_the_orders_of_a_server_newest_first(server: Server, operator: User) -> None:
    first = power_order(server=server, action=PowerAction.ON, actor=operator)
    second = power_order(server=server, action=PowerAction.OFF, actor=operator)
    JobTarget.objects.filter(job=first).update(state=TargetState.FAILED, ended_at=Now())
    assert [target.job for target in targets_of_server(server)] == [second, first]
    assert [target.job for target in power_orders(server)] == [second, first]
    assert [target.job for target in open_targets_of_server(server)] == [second]
    assert [target.job for target in power_open(server)] == [second]


def test_watched_servers_are_due_at_once_and_not_again_at_every_look(server: Server) -> None:
    Bmc.objects.update(poll_due_at=now_plus(50))
    servers_watch([server.pk])
    assert ServerStatus.objects.filter(watched_until__gt=now_plus(25)).exists()
    assert Bmc.objects.filter(poll_due_at__lte=Now()).exists()
    Bmc.objects.update(poll_due_at=now_plus(3))
    servers_watch([server.pk])
    assert not Bmc.objects.filter(poll_due_at__lte=Now()).exists()
