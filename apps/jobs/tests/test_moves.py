from __future__ import annotations

import uuid
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEntry
from apps.core.dbtime import now_plus
from apps.inventory.choices import Power, Transition
from apps.inventory.models import Server, ServerStatus
from apps.jobs import books
from apps.jobs.books import Begun, Ended, Guard, IllegalMove, Move, held_of
from apps.jobs.choices import FINAL, MOVES, OPEN, AttemptOutcome
from apps.jobs.choices import TargetState as S
from apps.jobs.handlers import End
from apps.jobs.models import BmcLease, CommandAttempt, Job, JobTarget
from apps.jobs.tests.stage import fleet_server

pytestmark = pytest.mark.django_db


def make_target(state: S = S.QUEUED, *, job: Job | None = None, **fields: Any) -> JobTarget:
    server = fields.pop("server", None) or fleet_server()
    job = job or Job.objects.create(kind="power", params={"action": "off"}, actor_name="x")
    fields = {"not_after": now_plus(60), "fence": 7} | fields
    if state in FINAL:
        fields["ended_at"] = Now()
    target = JobTarget.objects.create(
        job=job, server=server, server_name=server.name, bmc=server.bmc, state=state, **fields
    )
    target.refresh_from_db()
    return target


def lease(target: JobTarget, *, token: int = 7, seconds: float = 30) -> None:
    assert target.bmc is not None
    BmcLease.objects.create(bmc=target.bmc, token=token, expires_at=now_plus(seconds))


def move_to(target: JobTarget, to: S, **changes: Any) -> bool:
    if to in FINAL:
        changes.setdefault("end", End(to, "because"))
    move = Move(held_of(target), to, **changes)
    return target.pk in books.apply([move], fresh=uuid.uuid4()).won


@pytest.mark.parametrize(("here", "there"), list(product(S, S)))
def test_only_moves_of_the_table_are_made(here: S, there: S) -> None:
    target = make_target(here)
    if there in MOVES[here]:
        assert move_to(target, there)
        target.refresh_from_db()
        assert target.state == there
        assert (target.ended_at is not None) == (there in FINAL)
    else:
        with pytest.raises(IllegalMove):
            move_to(target, there)
        assert JobTarget.objects.get(pk=target.pk).state == here


def test_the_table_has_every_state_and_no_way_out_of_a_final_one() -> None:
    assert set(MOVES) == set(S)
    assert all(not MOVES[state] for state in FINAL)
    assert all(MOVES[state] for state in OPEN)


@pytest.mark.parametrize("final", sorted(FINAL))
def test_a_final_result_is_not_changed_by_who_still_thinks_it_is_open(final: S) -> None:
    target = make_target(S.VERIFYING)
    stale = held_of(target)
    JobTarget.objects.filter(pk=target.pk).update(state=final, ended_at=Now(), result="first")
    outcome = books.apply([Move(stale, S.FAILED, end=End(S.FAILED, "second"))], fresh=uuid.uuid4())
    assert outcome.won == set()
    target.refresh_from_db()
    assert (target.state, target.result) == (final, "first")


def test_the_database_itself_wants_a_time_with_every_end() -> None:
    target = make_target(S.VERIFYING)
    with pytest.raises(IntegrityError), transaction.atomic():
        JobTarget.objects.filter(pk=target.pk).update(state=S.FAILED)
    done = make_target(S.FAILED)
    with pytest.raises(IntegrityError), transaction.atomic():
        JobTarget.objects.filter(pk=done.pk).update(state=S.QUEUED)


def test_an_old_token_wins_nothing() -> None:
    target = make_target(S.VERIFYING)
    assert move_to(target, S.VERIFYING, due_seconds=1)
    assert not move_to(target, S.SUCCEEDED)  # the same row as before the first move


def test_of_two_that_hold_the_same_target_one_wins() -> None:
    target = make_target(S.INTENT)
    assert [move_to(target, S.SENT), move_to(target, S.FAILED)] == [True, False]


@pytest.mark.parametrize(
    ("token", "seconds", "is_won"), [(7, 30, True), (7, -1, False), (8, 30, False), (6, 30, False)]
)
def test_who_lost_the_lease_writes_nothing(token: int, seconds: float, is_won: bool) -> None:
    target = make_target(S.PRECHECK)
    lease(target, token=token, seconds=seconds)
    assert move_to(target, S.INTENT, guard=Guard.LEASE) is is_won


def test_sent_needs_time_left_of_the_lease() -> None:
    target = make_target(S.INTENT)
    lease(target, seconds=9)
    assert not move_to(target, S.SENT, guard=Guard.SEND, lease_margin_seconds=10)
    BmcLease.objects.update(expires_at=now_plus(12))
    assert move_to(target, S.SENT, guard=Guard.SEND, lease_margin_seconds=10)


def test_sent_is_not_recorded_after_its_time() -> None:
    target = make_target(S.INTENT, not_after=now_plus(-1))
    lease(target)
    assert not move_to(target, S.SENT, guard=Guard.SEND)


def test_sent_is_not_recorded_for_a_stopped_job() -> None:
    target = make_target(S.INTENT)
    lease(target)
    Job.objects.update(stop_requested_at=Now())
    assert not move_to(target, S.SENT, guard=Guard.SEND)


def test_the_check_stands_in_the_statement_that_records_sent() -> None:
    target = make_target(S.INTENT)
    lease(target)
    with CaptureQueriesContext(connection) as queries:
        assert move_to(target, S.SENT, guard=Guard.SEND)
    [update] = [q["sql"] for q in queries if q["sql"].startswith('UPDATE "jobs_jobtarget"')]
    for word in ("not_after", "expires_at", "stop_requested_at", "token"):
        assert word in update.split("WHERE", 1)[1]
    # The state is compared in the row itself, not in a subquery that PostgreSQL reads too early.
    assert '"jobs_jobtarget"."state" = ' in update


def test_intent_writes_attempt_and_audit_in_the_same_transaction() -> None:
    target = make_target(S.PRECHECK)
    begun = Begun("off", {"action": "off"}, "w1")
    assert move_to(target, S.INTENT, attempt=begun, previous_power=Power.ON)
    attempt = CommandAttempt.objects.get()
    assert (attempt.command, attempt.fence, attempt.sent_at) == ("off", 7, None)
    entry = AuditEntry.objects.get(action="power.command")
    assert entry.object_id == str(target.server_id)
    assert (entry.before, entry.after) == (
        {"power": "on"},
        {"command": "off", "job": target.job_id},
    )


def test_a_lost_move_writes_nothing_beside() -> None:
    target = make_target(S.PRECHECK)
    assert not move_to(target, S.INTENT, guard=Guard.LEASE, attempt=Begun("off", {}, "w1"))
    assert not CommandAttempt.objects.exists()
    assert not AuditEntry.objects.exists()


def test_an_attempt_gets_its_times_and_outcome() -> None:
    target = make_target(S.PRECHECK)
    move_to(target, S.INTENT, attempt=Begun("off", {}, "w1"))
    target.refresh_from_db()
    move_to(target, S.SENT)
    assert CommandAttempt.objects.get().sent_at is not None
    target.refresh_from_db()
    move_to(target, S.VERIFYING, attempt=Ended(AttemptOutcome.NO_REPLY, {"error": "no_reply"}))
    attempt = CommandAttempt.objects.get()
    assert (attempt.outcome, attempt.answered_at) == ("no_reply", None)


def test_an_answer_is_noted_with_its_time() -> None:
    target = make_target(S.SENT)
    CommandAttempt.objects.create(target=target, command="off", fence=7, worker="w1")
    ended = Ended(AttemptOutcome.ACCEPTED)
    move_to(target, S.VERIFYING, attempt=ended, is_answered=True)
    target.refresh_from_db()
    assert target.answered_at is not None
    assert CommandAttempt.objects.get().answered_at is not None


def test_the_lease_is_given_back_when_the_conversation_ends() -> None:
    target = make_target(S.SENT)
    lease(target)
    move_to(target, S.VERIFYING)
    assert not BmcLease.objects.filter(expires_at__gt=Now()).exists()


def test_a_lease_that_somebody_else_holds_now_is_left_alone() -> None:
    target = make_target(S.SENT)
    lease(target, token=8)
    move_to(target, S.VERIFYING)
    assert BmcLease.objects.filter(expires_at__gt=Now()).exists()


def test_the_transition_is_set_at_sent_and_cleared_at_the_end() -> None:
    target = make_target(S.INTENT)
    move_to(target, S.SENT, transition=Transition.SHUTTING_DOWN)
    assert ServerStatus.objects.get().transition == Transition.SHUTTING_DOWN
    target.refresh_from_db()
    move_to(target, S.VERIFYING)
    assert ServerStatus.objects.get().transition == Transition.SHUTTING_DOWN
    target.refresh_from_db()
    move_to(target, S.SUCCEEDED, final_power=Power.OFF)
    status = ServerStatus.objects.get()
    assert (status.transition, status.power) == (Transition.NONE, Power.OFF)
    target.refresh_from_db()
    assert target.final_power == Power.OFF


def test_the_transition_stays_while_another_job_works_on_the_same_server() -> None:
    server = fleet_server()
    first = make_target(S.VERIFYING, server=server)
    make_target(S.VERIFYING, server=server)
    ServerStatus.objects.update(transition=Transition.SHUTTING_DOWN)
    move_to(first, S.SUCCEEDED)
    assert ServerStatus.objects.get().transition == Transition.SHUTTING_DOWN


def test_a_job_ends_with_its_last_target() -> None:
    job = Job.objects.create(kind="power", params={}, actor_name="x")
    one, two = make_target(S.VERIFYING, job=job), make_target(S.VERIFYING, job=job)
    move_to(one, S.SUCCEEDED)
    job.refresh_from_db()
    assert job.finished_at is None
    move_to(two, S.FAILED)
    job.refresh_from_db()
    assert job.finished_at is not None


def test_a_batch_tried_again_after_a_commit_nobody_heard_of_is_applied_once() -> None:
    target = make_target(S.PRECHECK)
    moves = [Move(held_of(target), S.INTENT, attempt=Begun("off", {}, "w1"))]
    fresh = uuid.uuid4()
    books.apply(moves, fresh=fresh)  # committed, and the connection broke
    outcome = books.apply(moves, fresh=fresh, is_retry=True)
    assert outcome.won == {target.pk}
    assert CommandAttempt.objects.count() == 1
    assert AuditEntry.objects.count() == 1


def test_a_batch_tried_again_that_was_not_committed_is_applied_now() -> None:
    target = make_target(S.PRECHECK)
    moves = [Move(held_of(target), S.INTENT, attempt=Begun("off", {}, "w1"))]
    assert books.apply(moves, fresh=uuid.uuid4(), is_retry=True).won == {target.pk}
    assert CommandAttempt.objects.count() == 1


def test_wanted_since_is_the_first_time_in_a_row() -> None:
    target = make_target(S.VERIFYING)
    move_to(target, S.VERIFYING, is_wanted=True)
    JobTarget.objects.update(wanted_seen_at=now_plus(-60))
    target.refresh_from_db()
    first = target.wanted_seen_at
    move_to(target, S.VERIFYING, is_wanted=True)
    target.refresh_from_db()
    assert target.wanted_seen_at == first
    move_to(target, S.VERIFYING, is_wanted=False)
    target.refresh_from_db()
    assert target.wanted_seen_at is None


def test_many_moves_cost_few_statements_and_each_winner_is_known(
    django_assert_max_num_queries: Any,
) -> None:
    job = Job.objects.create(kind="power", params={}, actor_name="x")
    targets = [make_target(S.PRECHECK, job=job, token=uuid.UUID(int=5)) for _ in range(40)]
    JobTarget.objects.filter(pk=targets[3].pk).update(token=uuid.uuid4())
    moves = [Move(held_of(target), S.INTENT, attempt=Begun("off", {}, "w1")) for target in targets]
    with django_assert_max_num_queries(8):
        outcome = books.apply(moves, fresh=uuid.uuid4())
    assert outcome.won == {target.pk for target in targets} - {targets[3].pk}
    assert CommandAttempt.objects.count() == 39


def test_times_are_compared_on_the_database_clock() -> None:
    target = make_target(not_after=now_plus(0.5))
    assert JobTarget.objects.filter(not_after__gt=Now()).exists()
    assert not JobTarget.objects.filter(not_after__gt=now_plus(1)).exists()
    assert not JobTarget.objects.filter(not_after__lte=now_plus(-1)).exists()
    target.refresh_from_db()
    assert target.not_after - target.due_at < timedelta(seconds=1)


def test_a_server_is_in_a_job_once() -> None:
    server: Server = fleet_server()
    target = make_target(server=server)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_target(server=server, job=target.job)
