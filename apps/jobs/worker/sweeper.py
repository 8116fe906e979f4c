"""What a crash, a stop or a long wait left behind is brought to its end. Any worker, any time."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.core.dbtime import now_plus
from apps.jobs import books
from apps.jobs.books import Move, Outcome, held_of
from apps.jobs.choices import UNSENT, ResultCode, TargetState
from apps.jobs.handlers import End
from apps.jobs.models import BmcLease, Job, JobTarget, Worker

CHUNK: Final = 500

_Decide = Callable[[JobTarget], Move]


def sweep(*, gone_seconds: float) -> Outcome:
    """Do it all once; in a database thread. Safe to run anywhere at the same time."""
    workers_forget(gone_seconds)
    total = Outcome()
    for rows, decide in _duties():
        _merge(total, _apply(rows, decide))
    unfinished = Job.objects.filter(finished_at__isnull=True).values_list("pk", flat=True)
    books.jobs_finish(unfinished)
    return total


def workers_forget(gone_seconds: float) -> int:
    """Remove workers without a heartbeat; their BMCs move to the others."""
    return Worker.objects.filter(heartbeat_at__lte=now_plus(-gone_seconds)).delete()[0]


def orphans() -> QuerySet[JobTarget]:
    """Return targets whose conversation has lost its lease: its worker died or stood still."""
    alive = BmcLease.objects.filter(
        bmc_id=OuterRef("bmc_id"), token=OuterRef("fence"), expires_at__gt=Now()
    )
    return JobTarget.objects.filter(~Exists(alive), ended_at__isnull=True)


def abandon(worker: str) -> Outcome:
    """Give back what this worker held: it stops, and nothing of it talks any more."""
    unsent = sorted(UNSENT - {TargetState.QUEUED})
    mine = JobTarget.objects.filter(worker=worker, state__in=unsent)
    total = _apply(mine, _back)
    # A read that was cut off is due now, not when its claim would have run out.
    for state in (TargetState.VERIFYING, TargetState.SENT):
        rows = JobTarget.objects.filter(worker=worker, state=state)
        targets = list(rows.order_by("pk"))
        if targets:
            moves = [_to_verifying(target) for target in targets]
            _merge(total, books.apply(moves, fresh=uuid.uuid4()))
    return total


def _duties() -> list[tuple[QuerySet[JobTarget], _Decide]]:
    rows = JobTarget.objects.filter(ended_at__isnull=True)
    removed = Q(server__isnull=True) | Q(bmc__isnull=True)
    started = sorted(UNSENT - {TargetState.QUEUED})
    queued = TargetState.QUEUED
    return [
        (orphans().filter(state__in=started), _back),
        (orphans().filter(state=TargetState.SENT), _to_verifying),
        (rows.filter(state=queued, job__stop_requested_at__isnull=False), _cancelled),
        (rows.filter(removed, state=queued), _removed),
        (rows.filter(removed, state=TargetState.VERIFYING), _removed),
        (rows.filter(state=queued, not_after__lte=Now()), _expired),
    ]


def _apply(rows: QuerySet[JobTarget], decide: _Decide) -> Outcome:
    """In chunks; what another worker sweeps at this moment is left to it."""
    total, count = Outcome(), CHUNK
    while count == CHUNK:
        with transaction.atomic():
            free = rows.select_for_update(skip_locked=True, of=("self",)).order_by("pk")
            targets = list(free[:CHUNK])
            moves = [decide(target) for target in targets]
            if moves:
                _merge(total, books.apply(moves, fresh=uuid.uuid4()))
        count = len(targets)
    return total


def _merge(total: Outcome, outcome: Outcome) -> Outcome:
    total.won |= outcome.won
    total.server_ids |= outcome.server_ids
    total.job_ids |= outcome.job_ids
    return total


def _move(target: JobTarget, to: TargetState, **changes: Any) -> Move:
    return Move(held_of(target), to, **changes)


def _back(target: JobTarget) -> Move:
    """Never sent: wait again; a stopped or late one ends from there."""
    return _move(target, TargetState.QUEUED, due_seconds=0.0)


def _to_verifying(target: JobTarget) -> Move:
    """It may have run."""
    return _move(target, TargetState.VERIFYING, due_seconds=0.0)


def _cancelled(target: JobTarget) -> Move:
    return _move(target, TargetState.CANCELLED, end=End(TargetState.CANCELLED, ResultCode.STOPPED))


def _expired(target: JobTarget) -> Move:
    cause = target.evidence.get("waits_for")
    params = {"waited_for": str(cause)} if cause else {}
    return _move(
        target, TargetState.FAILED, end=End(TargetState.FAILED, ResultCode.EXPIRED, {**params})
    )


def _removed(target: JobTarget) -> Move:
    is_sent = TargetState(target.state) is TargetState.VERIFYING
    to = TargetState.UNKNOWN if is_sent else TargetState.FAILED
    return _move(target, to, end=End(to, ResultCode.SERVER_REMOVED))
