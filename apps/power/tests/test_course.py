"""The rules of J1-J5, one by one, with BMCs in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.bmc import (
    BmcAuthError,
    BmcBusy,
    BmcError,
    BmcLoginTooSoon,
    BmcNoReply,
    BmcNotSent,
    BmcProtocolError,
    BmcRefused,
    BmcUnreachable,
    PowerState,
)
from apps.bmc import (
    PowerAction as A,
)
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.testing import make_profile, make_user
from apps.inventory.choices import Power, Transition
from apps.inventory.models import Bmc, CredentialProfile, Server, ServerStatus
from apps.jobs.books import Held
from apps.jobs.choices import FINAL, ResultCode
from apps.jobs.choices import TargetState as S
from apps.jobs.handlers import Again, Case, End, Go, Params, Reading, handler_register
from apps.jobs.models import BmcLease, CommandAttempt, Job, JobTarget
from apps.jobs.services import job_stop
from apps.jobs.tests.stage import (
    ScriptedBmc,
    ScriptedPool,
    Stage,
    elsewhere,
    fleet_server,
    make_due,
    pass_time,
)
from apps.jobs.worker import claims, course
from apps.power.choices import PowerResult as R
from apps.power.handler import PowerHandler
from apps.power.services import power_order

pytestmark = pytest.mark.django_db(transaction=True)

ONCE = [A.CYCLE, A.RESET, A.SOFT_OFF, A.NMI]


@pytest.fixture
def server() -> Server:
    return fleet_server()


@pytest.fixture
def bmc(pool: ScriptedPool, server: Server) -> ScriptedBmc:
    return pool.of(server)


def order(server: Server, action: A) -> JobTarget:
    actor = make_user(role=Role.OPERATOR)
    job = power_order(server=server, action=action, actor=actor, reason="maintenance")
    return JobTarget.objects.select_related("job").get(job=job)


def actor_of(target: JobTarget) -> User:
    assert target.job.actor is not None
    return target.job.actor


def ready_for(bmc: ScriptedBmc, action: A) -> None:
    bmc.power = PowerState.OFF if action is A.ON else PowerState.ON


# ------------------------------------------------------------------ the straight way


@pytest.mark.parametrize("action", [A.ON, A.OFF, A.SOFT_OFF])
def test_an_action_is_sent_once_and_verified_by_reading(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    ready_for(bmc, action)
    before = bmc.power
    target = stage.run(order(server, action))
    assert (target.state, target.result) == (S.SUCCEEDED, R.VERIFIED)
    assert bmc.controls == [action]
    assert (target.previous_power, target.final_power) == (before.value, bmc.power.value)
    attempt = CommandAttempt.objects.get()
    assert (attempt.command, attempt.outcome) == (action.value, "accepted")
    assert attempt.sent_at is not None
    assert attempt.answered_at is not None
    assert attempt.intent_at <= attempt.sent_at <= attempt.answered_at
    target.job.refresh_from_db()
    assert target.job.finished_at is not None
    status = ServerStatus.objects.get()
    assert (status.power, status.transition) == (bmc.power.value, Transition.NONE)


def test_order_and_command_stand_in_the_audit_with_actor_and_reason(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = stage.run(order(server, A.OFF))
    entries = list(AuditEntry.objects.order_by("pk"))
    assert [entry.action for entry in entries] == ["power.order", "power.command"]
    for entry in entries:
        assert (entry.actor, entry.reason) == (target.job.actor, "maintenance")
        assert entry.object_name == server.name


def test_while_it_is_sent_and_verified_the_server_shows_what_is_happening(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.lag_seconds = 3600
    target = order(server, A.SOFT_OFF)
    stage.step()
    target.refresh_from_db()
    status = ServerStatus.objects.get()
    assert target.state == S.VERIFYING
    assert (status.power, status.transition) == (Power.ON, Transition.SHUTTING_DOWN)


@pytest.mark.parametrize(("action", "power"), [(A.ON, "on"), (A.OFF, "off"), (A.SOFT_OFF, "off")])
def test_what_is_there_already_is_skipped_without_a_command(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A, power: str
) -> None:
    bmc.power = PowerState(power)
    target = stage.run(order(server, action))
    assert (target.state, target.result) == (S.SKIPPED, f"already_{power}")
    assert bmc.controls == []
    assert not CommandAttempt.objects.exists()


@pytest.mark.parametrize("action", [A.CYCLE, A.RESET, A.NMI])
def test_a_server_that_is_off_is_not_restarted(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    bmc.power = PowerState.OFF
    target = stage.run(order(server, action))
    assert (target.state, target.result, bmc.controls) == (S.FAILED, R.SERVER_OFF, [])


def test_an_accepted_nmi_ends_as_accepted(stage: Stage, server: Server, bmc: ScriptedBmc) -> None:
    target = stage.run(order(server, A.NMI))
    assert (target.state, target.result) == (S.ACCEPTED, R.NOT_READABLE)
    assert target.answered_at is not None


def test_a_reset_without_evidence_ends_as_accepted(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.RESET)
    stage.step()
    pass_time(31)
    target = stage.run(target)
    assert (target.state, target.result) == (S.ACCEPTED, R.NOT_READABLE)
    assert bmc.controls == [A.RESET]


def test_a_cycle_whose_off_phase_was_seen_is_verified(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.CYCLE)
    stage.step()
    for power in (PowerState.OFF, PowerState.ON):
        bmc.power = power
        make_due()
        stage.step()
    target.refresh_from_db()
    assert (target.state, target.result) == (S.SUCCEEDED, R.RESTART_SEEN)


def test_a_soft_off_that_is_ignored_ends_as_still_on_after_600_s(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.lag_seconds = 3600
    target = order(server, A.SOFT_OFF)
    stage.step()
    pass_time(590)
    stage.step()
    target.refresh_from_db()
    assert target.state == S.VERIFYING
    pass_time(11)
    stage.step()
    target.refresh_from_db()
    assert (target.state, target.result) == (S.FAILED, R.STILL_ON)
    assert bmc.controls == [A.SOFT_OFF]
    assert ServerStatus.objects.get().transition == Transition.NONE


# ------------------------------------------------------------------ no answer


@pytest.mark.parametrize("action", ONCE)
@pytest.mark.parametrize("error", [BmcNoReply(), BmcProtocolError(reason="garbage")])
def test_without_an_answer_nothing_is_sent_again_and_it_ends_unknown(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A, error: BmcError
) -> None:
    bmc.lag_seconds = 3600
    bmc.fail("chassis_control", error)
    target = order(server, action)
    stage.step()
    target.refresh_from_db()
    assert (target.state, target.answered_at) == (S.VERIFYING, None)
    bmc.fail("chassis_status", *[BmcUnreachable()] * 20)
    stage.step()
    pass_time(700)
    target = stage.run(target)
    assert (target.state, target.result) == (S.UNKNOWN, R.NO_EVIDENCE)
    assert bmc.controls == [action]
    assert CommandAttempt.objects.get().outcome == "no_reply"


def test_without_an_answer_two_reads_5_s_apart_must_agree(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.fail("chassis_control", BmcNoReply())
    target = order(server, A.OFF)
    stage.step()
    assert bmc.executed == [A.OFF]  # it ran, only the answer was lost
    for _ in range(3):
        make_due()
        stage.step()
    target.refresh_from_db()
    assert target.state == S.VERIFYING  # read off three times, but all at once
    JobTarget.objects.update(wanted_seen_at=now_plus(-5.1))
    target = stage.run(target)
    assert (target.state, target.result) == (S.SUCCEEDED, R.VERIFIED)
    assert bmc.controls == [A.OFF]


def test_a_read_in_between_that_disagrees_starts_the_count_again(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.fail("chassis_control", BmcNoReply())
    target = order(server, A.OFF)
    stage.step()
    make_due()
    stage.step()
    bmc.power = PowerState.ON
    make_due()
    stage.step()
    target.refresh_from_db()
    assert (target.state, target.wanted_seen_at) == (S.VERIFYING, None)


def test_a_fault_of_ours_while_sending_counts_as_may_have_run(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    async def break_it() -> None:
        raise RuntimeError("bug")

    bmc.before_control = break_it
    target = order(server, A.RESET)
    with pytest.raises(RuntimeError):
        stage.step()
    target.refresh_from_db()
    assert target.state == S.SENT
    BmcLease.objects.update(expires_at=Now())
    stage.sweep()
    target.refresh_from_db()
    assert target.state == S.VERIFYING


# ------------------------------------------------------------------ the BMC said no


@pytest.mark.parametrize("action", list(A))
def test_a_refusal_ends_as_failed_with_its_code(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    ready_for(bmc, action)
    bmc.fail("chassis_control", BmcRefused(completion_code=0xD5))
    target = stage.run(order(server, action))
    assert (target.state, target.result) == (S.FAILED, "refused")
    assert target.result_params == {"completion_code": 0xD5}
    assert bmc.controls == [action]
    assert CommandAttempt.objects.get().outcome == "refused"


@pytest.mark.parametrize("action", [A.ON, A.OFF])
def test_busy_lets_on_and_off_try_again_after_a_fresh_read(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    ready_for(bmc, action)
    bmc.fail("chassis_control", BmcBusy(completion_code=0xC0))
    target = order(server, action)
    stage.step()
    target.refresh_from_db()
    assert (target.state, target.tries) == (S.QUEUED, 1)
    assert ServerStatus.objects.get().transition == Transition.NONE
    reads = bmc.reads
    target = stage.run(target)
    assert target.state == S.SUCCEEDED
    assert bmc.reads >= reads + 2  # precheck and verification
    assert bmc.controls == [action, action]
    assert [a.outcome for a in CommandAttempt.objects.order_by("pk")] == ["busy", "accepted"]


def test_busy_and_meanwhile_there_is_skipped(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.fail("chassis_control", BmcBusy(completion_code=0xC3))
    target = order(server, A.OFF)
    stage.step()
    bmc.power = PowerState.OFF
    target = stage.run(target)
    assert (target.state, bmc.controls) == (S.SKIPPED, [A.OFF])


def test_busy_is_not_tried_for_ever(stage: Stage, server: Server, bmc: ScriptedBmc) -> None:
    bmc.fail("chassis_control", *[BmcBusy(completion_code=0xC0)] * 20)
    target = stage.run(order(server, A.OFF), steps=20)
    assert (target.state, target.result) == (S.FAILED, "busy")
    assert len(bmc.controls) == 6


@pytest.mark.parametrize("action", ONCE)
@pytest.mark.parametrize("error", [BmcBusy(completion_code=0xC0), BmcNotSent(reason="no_session")])
def test_the_others_are_not_tried_again_even_if_they_did_not_run(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A, error: BmcError
) -> None:
    bmc.fail("chassis_control", error)
    target = stage.run(order(server, action))
    assert (target.state, target.result) == (S.FAILED, error.code)
    assert bmc.controls == [action]


# ------------------------------------------------------------------ not even tried


def test_an_order_that_waited_too_long_dies(stage: Stage, server: Server, bmc: ScriptedBmc) -> None:
    target = order(server, A.OFF)
    pass_time(121)
    stage.step()
    stage.sweep()
    target.refresh_from_db()
    assert (target.state, target.result) == (S.FAILED, ResultCode.EXPIRED)
    assert (bmc.controls, bmc.reads) == ([], 0)


def test_an_order_that_gets_too_old_during_its_precheck_dies(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    async def grow_old() -> None:
        await elsewhere(lambda: JobTarget.objects.update(not_after=Now()))

    bmc.before_read = grow_old
    target = stage.run(order(server, A.RESET))
    assert (target.state, target.result, bmc.controls) == (S.FAILED, ResultCode.EXPIRED, [])
    assert CommandAttempt.objects.get().outcome == "not_sent"


def test_a_job_stopped_before_its_command_sends_nothing(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.RESET)

    async def stop() -> None:
        await elsewhere(lambda: job_stop(job=target.job, actor=actor_of(target)))

    bmc.before_read = stop
    stage.step()
    target.refresh_from_db()
    assert (target.state, target.result) == (S.CANCELLED, ResultCode.STOPPED)
    assert bmc.controls == []


def test_a_stop_that_only_reached_the_job_is_seen_in_the_statement_of_sent(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    async def stop() -> None:
        await elsewhere(lambda: Job.objects.update(stop_requested_at=Now()))

    bmc.before_read = stop
    target = stage.run(order(server, A.RESET))
    assert (target.state, target.result, bmc.controls) == (S.CANCELLED, ResultCode.STOPPED, [])


def test_what_was_sent_before_the_stop_is_verified_to_its_end(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.OFF)
    stage.step()
    assert job_stop(job=target.job, actor=actor_of(target)) == 0
    assert stage.run(target).state == S.SUCCEEDED


def test_a_lease_lost_during_the_precheck_sends_nothing_and_writes_nothing(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    async def lose() -> None:
        await elsewhere(
            lambda: BmcLease.objects.update(
                token=F("token") + 1, holder="other", expires_at=now_plus(60)
            )
        )

    bmc.before_read = lose
    target = order(server, A.RESET)
    stage.step()
    target.refresh_from_db()
    assert (target.state, bmc.controls) == (S.PRECHECK, [])
    assert not CommandAttempt.objects.exists()
    bmc.before_read = None
    BmcLease.objects.update(expires_at=Now())
    stage.sweep()
    target.refresh_from_db()
    assert target.state == S.QUEUED


def test_too_little_left_of_the_lease_takes_a_new_one(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    async def shorten() -> None:
        await elsewhere(lambda: BmcLease.objects.update(expires_at=now_plus(5)))

    bmc.before_read = shorten
    target = order(server, A.OFF)
    stage.step()
    target.refresh_from_db()
    assert (target.state, bmc.controls) == (S.QUEUED, [])
    bmc.before_read = None
    assert stage.run(target).state == S.SUCCEEDED
    assert target.fence == 2


def test_a_commit_of_sent_that_took_too_long_sends_nothing(
    pool: ScriptedPool, server: Server, bmc: ScriptedBmc
) -> None:
    stage = Stage(pool, send_window_seconds=0.0)
    target = stage.run(order(server, A.RESET))
    assert (target.state, target.result) == (S.FAILED, "not_sent")
    assert bmc.executed == []
    assert CommandAttempt.objects.get().sent_at is not None


@pytest.mark.parametrize("guid", ["f" * 32, "0" * 32, ""])
def test_another_machine_at_the_address_gets_no_command(
    stage: Stage, server: Server, bmc: ScriptedBmc, guid: str
) -> None:
    Bmc.objects.update(guid="ab" * 16)
    bmc.guid = guid or "cd" * 16
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result) == (S.FAILED, ResultCode.WRONG_IDENTITY)
    assert bmc.controls == []


def test_the_first_login_keeps_the_identity(stage: Stage, server: Server, bmc: ScriptedBmc) -> None:
    stage.run(order(server, A.OFF))
    assert Bmc.objects.get().guid == bmc.guid
    bmc.power = PowerState.ON
    assert stage.run(order(server, A.OFF)).state == S.SUCCEEDED


@pytest.mark.parametrize("answer", ["0" * 32, BmcRefused(completion_code=0xC1)])
def test_a_bmc_that_offers_no_identity_is_not_guarded(
    stage: Stage, server: Server, bmc: ScriptedBmc, answer: Any
) -> None:
    if isinstance(answer, BmcError):
        bmc.fail("system_guid", answer)
    else:
        bmc.guid = answer
    assert stage.run(order(server, A.OFF)).state == S.SUCCEEDED
    assert Bmc.objects.get().guid == ""


def test_a_wrong_password_is_final_after_one_try(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.fail("login", *[BmcAuthError()] * 5)
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result, target.tries) == (S.FAILED, "auth_failed", 0)
    assert ServerStatus.objects.get().fault == "auth_failed"


def test_a_bmc_that_does_not_answer_is_tried_twice_and_then_told(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.fail("login", *[BmcUnreachable()] * 5)
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result, target.tries) == (S.FAILED, "unreachable", 1)


def test_the_login_budget_is_waited_for_and_told_if_time_runs_out(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.fail("login", BmcLoginTooSoon(retry_seconds=25))
    target = order(server, A.OFF)
    stage.step()
    assert JobTarget.objects.filter(due_at__gt=now_plus(20), due_at__lt=now_plus(30)).exists()
    assert ServerStatus.objects.get().fault == "never_read"  # nothing was asked
    pass_time(121)
    stage.sweep()
    target.refresh_from_db()
    assert (target.result, target.result_params) == ("expired", {"waited_for": "login_too_soon"})


def test_without_a_profile_it_says_so(stage: Stage, server: Server, bmc: ScriptedBmc) -> None:
    Bmc.objects.update(profile=None)
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result) == (S.FAILED, ResultCode.NO_CREDENTIAL)
    assert ServerStatus.objects.get().fault == "no_credential"


def test_a_secret_that_no_key_opens_is_told_and_not_sent(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    CredentialProfile.objects.update(sealed_password="v1.gone.AAAA")
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result) == (S.FAILED, ResultCode.SECRET_UNREADABLE)
    assert bmc.logins == 0


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("127.9.9.9", ["10.0.0.0/8"]),  # not where this secret may go
        ("192.168.1.1", ["192.168.0.0/16"]),  # not where the portal may send
        ("localhost", ["10.0.0.0/8"]),  # a name that resolves to elsewhere
        ("0177.0.0.1", ["127.0.0.0/8"]),
        ("2130706433", ["127.0.0.0/8"]),
        ("127.9.9.9", ["nonsense"]),
        ("127.9.9.9", []),
    ],
)
def test_a_secret_goes_only_where_it_may_go(
    stage: Stage, pool: ScriptedPool, address: str, networks: list[str]
) -> None:
    server = fleet_server(address=address, profile=make_profile(networks=networks))
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result) == (S.FAILED, "forbidden_address")
    assert pool.bmcs == {}


def test_a_name_that_does_not_resolve_is_unreachable(stage: Stage, pool: ScriptedPool) -> None:
    server = fleet_server(address="no-such-name.invalid")
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result) == (S.FAILED, "unreachable")
    assert target.result_params == {"stage": "resolve"}


# ------------------------------------------------------------------ a later order


def test_a_later_command_leaves_the_earlier_one_unknown(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.lag_seconds = 3600
    soft = order(server, A.SOFT_OFF)
    stage.step()
    bmc.lag_seconds = 0
    hard = order(server, A.OFF)
    while JobTarget.objects.get(pk=hard.pk).state == S.QUEUED:
        stage.step()
    assert stage.run(hard).state == S.SUCCEEDED
    soft = stage.run(soft)
    assert (soft.state, soft.result) == (S.UNKNOWN, ResultCode.SUPERSEDED)
    assert bmc.controls == [A.SOFT_OFF, A.OFF]


def test_a_later_command_between_read_and_verdict_is_noticed(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.SOFT_OFF)
    stage.step()
    later = order(server, A.OFF)

    def send_it() -> None:
        JobTarget.objects.filter(pk=later.pk).update(fence=2)
        CommandAttempt.objects.create(
            target=later, command="off", fence=2, worker="w2", sent_at=Now()
        )

    async def overtake() -> None:
        bmc.before_read = None
        await elsewhere(send_it)

    bmc.before_read = overtake
    JobTarget.objects.filter(pk=later.pk).update(due_at=now_plus(60))
    JobTarget.objects.filter(pk=target.pk).update(due_at=Now())
    stage.step()
    target.refresh_from_db()
    assert target.state == S.VERIFYING
    target = stage.run(target)
    assert (target.state, target.result) == (S.UNKNOWN, ResultCode.SUPERSEDED)


def test_a_later_order_that_changed_nothing_does_no_harm(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.lag_seconds = 3600
    soft = order(server, A.SOFT_OFF)
    stage.step()
    bmc.fail("chassis_control", BmcRefused(completion_code=0xD5))
    refused = order(server, A.RESET)
    assert stage.run(refused).state == S.FAILED
    bmc.power = PowerState.OFF
    assert stage.run(soft).state == S.SUCCEEDED


# ------------------------------------------------------------------ after a crash


@pytest.mark.parametrize("state", [S.LEASED, S.PRECHECK, S.INTENT])
def test_a_crash_before_sent_starts_again_from_a_fresh_read(
    stage: Stage, server: Server, bmc: ScriptedBmc, state: S
) -> None:
    target = order(server, A.RESET)
    crash_in(target, state)
    stage.sweep()
    target.refresh_from_db()
    assert target.state == S.QUEUED
    stage.step()
    target.refresh_from_db()
    assert (target.state, bmc.controls) == (S.VERIFYING, [A.RESET])


@pytest.mark.parametrize("state", [S.LEASED, S.PRECHECK, S.INTENT])
def test_a_crash_before_sent_long_ago_dies(
    stage: Stage, server: Server, bmc: ScriptedBmc, state: S
) -> None:
    target = order(server, A.RESET)
    crash_in(target, state)
    pass_time(121)
    stage.sweep()
    target.refresh_from_db()
    assert (target.state, target.result, bmc.controls) == (S.FAILED, ResultCode.EXPIRED, [])


@pytest.mark.parametrize("state", [S.LEASED, S.PRECHECK, S.INTENT])
def test_a_crash_before_sent_of_a_stopped_job_is_cancelled(
    stage: Stage, server: Server, bmc: ScriptedBmc, state: S
) -> None:
    target = order(server, A.RESET)
    crash_in(target, state)
    Job.objects.update(stop_requested_at=Now())
    stage.sweep()
    target.refresh_from_db()
    assert (target.state, bmc.controls) == (S.CANCELLED, [])


@pytest.mark.parametrize("action", list(A))
def test_a_crash_after_sent_is_verified_and_never_sent_again(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    target = order(server, action)
    ready_for(bmc, action)
    crash_in(target, S.SENT)
    stage.sweep()
    target.refresh_from_db()
    assert target.state == S.VERIFYING
    pass_time(700)
    target = stage.run(target)
    assert target.state in FINAL - {S.SUCCEEDED, S.ACCEPTED}
    assert bmc.controls == []


def test_a_crash_while_verifying_is_read_again_when_its_claim_runs_out(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.OFF)
    stage.step()
    JobTarget.objects.update(due_at=now_plus(60), worker="dead")
    assert len(stage.step()) == 0
    pass_time(61)
    assert len(stage.step()) == 1
    target.refresh_from_db()
    assert target.state == S.SUCCEEDED


def test_a_target_in_somebodys_hands_is_left_alone(stage: Stage, server: Server) -> None:
    target = order(server, A.RESET)
    crash_in(target, S.INTENT, lease_seconds=30)
    stage.sweep()
    assert len(stage.step()) == 0
    target.refresh_from_db()
    assert target.state == S.INTENT


def test_a_server_that_was_removed_ends_its_targets(stage: Stage, server: Server) -> None:
    waiting, sent = order(server, A.OFF), order(server, A.RESET)
    crash_in(sent, S.SENT)
    server.bmc.delete()
    stage.sweep()
    stage.sweep()
    waiting.refresh_from_db()
    sent.refresh_from_db()
    assert (waiting.state, waiting.result) == (S.FAILED, ResultCode.SERVER_REMOVED)
    assert (sent.state, sent.result) == (S.UNKNOWN, ResultCode.SERVER_REMOVED)
    assert waiting.server_name == server.name


def crash_in(target: JobTarget, state: S, lease_seconds: float = -1) -> None:
    """The worker that had it is gone; its lease has run out."""
    BmcLease.objects.update_or_create(
        bmc=target.bmc, defaults={"token": 3, "expires_at": now_plus(lease_seconds)}
    )
    fields: dict[str, Any] = {"evidence": {"before": {"power": "on", "by_command": False}}}
    if state is S.SENT:
        fields["verify_until"] = now_plus(120)
    JobTarget.objects.filter(pk=target.pk).update(state=state, fence=3, worker="dead", **fields)


# ------------------------------------------------------------------ our own faults


class Broken(PowerHandler):
    """Breaks where it is told to."""

    def __init__(self, where: str) -> None:
        self._where = where

    def precheck(self, params: Params, reading: Reading) -> Go | End:
        if self._where == "precheck":
            raise RuntimeError("bug")
        return super().precheck(params, reading)

    def judge(self, case: Case) -> Again | End:
        raise RuntimeError("bug")


@pytest.fixture
def broken() -> Iterator[Callable[[str], None]]:
    yield lambda where: handler_register(Broken(where))
    handler_register(PowerHandler())


def test_a_handler_that_breaks_before_sending_fails_its_target(
    stage: Stage, server: Server, bmc: ScriptedBmc, broken: Callable[[str], None]
) -> None:
    broken("precheck")
    target = stage.run(order(server, A.RESET))
    assert (target.state, target.result, bmc.controls) == (S.FAILED, ResultCode.INTERNAL, [])


def test_a_handler_that_breaks_while_verifying_ends_unknown_at_the_deadline(
    stage: Stage, server: Server, bmc: ScriptedBmc, broken: Callable[[str], None]
) -> None:
    broken("judge")
    target = order(server, A.OFF)
    stage.step()
    make_due()
    stage.step()
    target.refresh_from_db()
    assert target.state == S.VERIFYING
    pass_time(130)
    target = stage.run(target)
    assert (target.state, target.result) == (S.UNKNOWN, ResultCode.INTERNAL)
    assert bmc.controls == [A.OFF]


def test_a_kind_that_nobody_knows_any_more_fails(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.OFF)
    Job.objects.update(kind="forgotten")
    target = stage.run(target)
    assert (target.state, target.result) == (S.FAILED, ResultCode.INTERNAL)


def test_a_lost_profile_while_verifying_is_told_and_ends_at_the_deadline(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = order(server, A.OFF)
    stage.step()
    Bmc.objects.update(profile=None)
    make_due()
    stage.step()
    assert ServerStatus.objects.get().fault == "no_credential"
    pass_time(130)
    target = stage.run(target)
    assert (target.state, target.result) == (S.UNKNOWN, R.NOT_READABLE)


def test_a_server_without_its_row_still_comes_to_an_end(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    first, second = order(server, A.OFF), order(server, A.OFF)
    JobTarget.objects.filter(pk=first.pk).update(server=None)  # its BMC has other servers
    target = stage.run(first)
    assert (target.state, bmc.controls) == (S.SUCCEEDED, [A.OFF])
    assert stage.run(second).state == S.SKIPPED


def test_a_bmc_removed_during_the_claim_is_not_looked_for(
    stage: Stage, server: Server, bmc: ScriptedBmc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "rows_load", lambda ids: {})
    target = stage.run(order(server, A.OFF))
    assert (target.state, target.result) == (S.FAILED, ResultCode.SERVER_REMOVED)


def test_a_database_that_goes_away_in_the_middle_leaves_the_target_to_the_sweeper(
    stage: Stage, server: Server, bmc: ScriptedBmc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(course, "look", away)

    async def shorten() -> None:
        await elsewhere(lambda: BmcLease.objects.update(expires_at=now_plus(5)))

    bmc.before_read = shorten
    target = order(server, A.OFF)
    stage.step()
    target.refresh_from_db()
    assert (target.state, bmc.controls) == (S.INTENT, [])


def test_a_target_taken_away_at_the_last_moment_is_let_go(
    stage: Stage, server: Server, bmc: ScriptedBmc, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = course.look

    def stop_first(held: Held, kind: str) -> course.Stayed | None:
        job_stop(job=target.job, actor=actor_of(target))
        return look(held, kind)

    monkeypatch.setattr(course, "look", stop_first)

    async def shorten() -> None:
        await elsewhere(lambda: BmcLease.objects.update(expires_at=now_plus(5)))

    bmc.before_read = shorten
    target = order(server, A.OFF)
    stage.step()
    target.refresh_from_db()
    assert (target.state, bmc.controls) == (S.CANCELLED, [])
