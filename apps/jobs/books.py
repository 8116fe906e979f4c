"""The only writer of targets: many moves in few statements, with everything that belongs to them.

A move is a conditional UPDATE: it is won only by who holds the target's present token, from the
very state it was thought to be in. Attempts, audit, leases, transitions and final readings are
written in the same transaction. Idempotent: the same batch, with the same fresh token, is applied
once.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce, Now

from apps.audit.models import AuditEntry
from apps.audit.services import entry_build
from apps.core.dbtime import now_plus
from apps.inventory.choices import Power, Transition
from apps.inventory.models import Server
from apps.inventory.services import PowerReading, status_record, transition_set
from apps.jobs.choices import (
    AT_WORK,
    FINAL,
    LEASED_STATES,
    MOVES,
    OPEN,
    AttemptOutcome,
    TargetState,
)
from apps.jobs.guards import vetoed_target
from apps.jobs.handlers import End, kinds_harmless
from apps.jobs.models import BmcLease, CommandAttempt, Job, JobTarget
from apps.jobs.orders import follow_ups_create


class IllegalMove(Exception):
    """The table of moves does not have it: a fault of ours."""


class Guard(Enum):
    """What must hold besides token and state."""

    TOKEN = auto()
    LEASE = auto()
    """The lease under which the target was claimed is alive."""
    SEND = auto()
    """As LEASE with a margin, `not_after` has not passed, nobody stopped the job, and no plan guard
    of `Move.kind` holds against it."""
    LAST = auto()
    """No later command went to this BMC: what was read there was our doing."""


@dataclass(slots=True)
class Held:
    """A target in somebody's hands. `state` and `token` follow each move that was won."""

    pk: int
    state: TargetState
    token: uuid.UUID
    job_id: int
    server_id: int | None
    server_name: str
    bmc_id: int | None
    fence: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A command is about to go out."""

    command: str
    params: dict[str, Any]
    worker: str


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of it."""

    outcome: AttemptOutcome
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """One step of one target; None means: leave as it is. Seconds count from the database's now."""

    held: Held
    to: TargetState
    guard: Guard = Guard.TOKEN
    end: End | None = None
    due_seconds: float | None = None
    verify_seconds: float | None = None
    evidence: dict[str, Any] | None = None
    is_wanted: bool | None = None
    is_answered: bool = False
    previous_power: Power | None = None
    final_power: Power | None = None
    tries: int | None = None
    attempt: Begun | Ended | None = None
    transition: Transition | None = None
    lease_margin_seconds: float = 0.0
    kind: str = ""
    follow_up: dict[str, Any] | None = None
    """The parameters of the job that its end orders, in the same transaction."""

    def values(self) -> dict[str, Any]:
        """Return plain values that make two moves the same statement."""
        return {
            "to": self.to,
            "due": self.due_seconds,
            "verify": self.verify_seconds,
            "evidence": self.evidence,
            "wanted": self.is_wanted,
            "answered": self.is_answered,
            "previous": self.previous_power,
            "final": self.final_power,
            "tries": self.tries,
            "end": [self.end.code, self.end.params] if self.end else None,
            "margin": self.lease_margin_seconds,
            "kind": self.kind,
        }


@dataclass(slots=True)
class Outcome:
    """Who won, and what browsers should be told about."""

    won: set[int] = field(default_factory=set)
    server_ids: set[int] = field(default_factory=set)
    job_ids: set[int] = field(default_factory=set)


def held_of(target: JobTarget) -> Held:
    return Held(
        pk=target.pk,
        state=TargetState(target.state),
        token=target.token,
        job_id=target.job_id,
        server_id=target.server_id,
        server_name=target.server_name,
        bmc_id=target.bmc_id,
        fence=target.fence,
    )


def apply(moves: Sequence[Move], *, fresh: uuid.UUID, is_retry: bool = False) -> Outcome:
    """Apply moves of different targets in one transaction; tell which were won.

    :param fresh: the new token of all winners; the same for every retry of the same batch.
    :param is_retry: an earlier try may have been committed without our knowing.
    :raises IllegalMove: nothing is written then.
    """
    for move in moves:
        if move.to not in MOVES[move.held.state]:
            raise IllegalMove(f"{move.held.state} to {move.to}")
    with transaction.atomic():
        won = _won_before(moves, fresh) if is_retry else set()
        if won:
            winners = [move for move in moves if move.held.pk in won]
        else:
            winners = _update(moves, fresh)
            _write_effects(winners)
    return Outcome(
        won={move.held.pk for move in winners},
        server_ids={move.held.server_id for move in winners if move.held.server_id},
        job_ids={move.held.job_id for move in winners},
    )


def follow(moves: Iterable[Move], won: set[int], fresh: uuid.UUID) -> None:
    """Let the holders of won targets know where they stand; call it where they are used."""
    for move in moves:
        if move.held.pk in won:
            move.held.state = move.to
            move.held.token = fresh


# -------------------------------------------------------------------- the moves themselves


def _won_before(moves: Sequence[Move], fresh: uuid.UUID) -> set[int]:
    rows = JobTarget.objects.filter(pk__in=[move.held.pk for move in moves], token=fresh)
    return set(rows.values_list("pk", flat=True))


def _update(moves: Sequence[Move], fresh: uuid.UUID) -> list[Move]:
    groups: dict[tuple[object, ...], list[Move]] = defaultdict(list)
    for move in sorted(moves, key=lambda move: move.held.pk):
        values = json.dumps(move.values(), sort_keys=True, default=str)
        groups[move.held.state, move.held.token, move.guard, values].append(move)
    winners: list[Move] = []
    for group in groups.values():
        ids = [move.held.pk for move in group]
        rows = JobTarget.objects.filter(
            pk__in=ids, state=group[0].held.state, token=group[0].held.token
        )
        count = _guarded(rows, group[0]).update(token=fresh, state_at=Now(), **_columns(group[0]))
        if count == len(group):
            winners += group
        elif count:
            won = _won_before(group, fresh)
            winners += [move for move in group if move.held.pk in won]
    return winners


def _guarded(rows: QuerySet[JobTarget], move: Move) -> QuerySet[JobTarget]:
    if move.guard is Guard.TOKEN:
        return rows
    if move.guard is Guard.LAST:
        return rows.filter(~Exists(later_commands()))
    lease = BmcLease.objects.filter(
        bmc_id=OuterRef("bmc_id"),
        token=OuterRef("fence"),
        expires_at__gt=now_plus(move.lease_margin_seconds),
    )
    rows = rows.filter(Exists(lease))
    if move.guard is Guard.SEND:
        stopped = Job.objects.filter(pk=OuterRef("job_id"), stop_requested_at__isnull=False)
        rows = rows.filter(~Exists(stopped), ~vetoed_target(move.kind), not_after__gt=Now())
    return rows


def later_commands() -> QuerySet[CommandAttempt]:
    """Return commands of later targets that may have changed the same BMC, for an outer target."""
    harmless = (AttemptOutcome.NOT_SENT, AttemptOutcome.BUSY, AttemptOutcome.REFUSED)
    sent = CommandAttempt.objects.filter(
        target__bmc=OuterRef("bmc_id"), fence__gt=OuterRef("fence"), sent_at__isnull=False
    )
    return sent.exclude(outcome__in=harmless).exclude(target__job__kind__in=kinds_harmless())


def _columns(move: Move) -> dict[str, Any]:
    columns: dict[str, Any] = {"state": move.to}
    if move.due_seconds is not None:
        columns["due_at"] = now_plus(move.due_seconds)
    if move.verify_seconds is not None:
        columns["verify_until"] = now_plus(move.verify_seconds)
    if move.is_wanted is not None:
        columns["wanted_seen_at"] = Coalesce("wanted_seen_at", Now()) if move.is_wanted else None
    if move.is_answered:
        columns["answered_at"] = Now()
    plain = {
        "evidence": move.evidence,
        "previous_power": move.previous_power,
        "final_power": move.final_power,
        "tries": move.tries,
    }
    columns |= {name: value for name, value in plain.items() if value is not None}
    if move.end is not None:
        columns |= {"result": move.end.code, "result_params": move.end.params}
    if move.to in FINAL:
        columns["ended_at"] = Now()
    return columns


# -------------------------------------------------------------------- what belongs to them


def _write_effects(winners: Sequence[Move]) -> None:
    _attempts_begin([move for move in winners if isinstance(move.attempt, Begun)])
    _attempts_end([move for move in winners if isinstance(move.attempt, Ended)])
    sent = [move.held.pk for move in winners if move.to is TargetState.SENT]
    if sent:
        attempts = CommandAttempt.objects.filter(target__in=sent, fence=F("target__fence"))
        attempts.update(sent_at=Now())
    _leases_release(winners)
    _transitions_write(winners)
    readings = [
        PowerReading(move.held.server_id, move.final_power)
        for move in winners
        if move.final_power and move.held.server_id
    ]
    if readings:
        status_record(readings, push=False)
    followed = {move.held.pk: move.follow_up for move in winners if move.follow_up is not None}
    if followed and (refused := follow_ups_create(followed)):
        ends = [Move(held_of(target), end.state, end=end) for target, end in refused]
        apply(ends, fresh=uuid.uuid4())
    jobs_finish({move.held.job_id for move in winners if move.to in FINAL})


def _attempts_begin(moves: Sequence[Move]) -> None:
    if not moves:
        return
    jobs = Job.objects.select_related("actor").in_bulk({move.held.job_id for move in moves})
    attempts, entries = [], []
    for move in moves:
        held, begun, job = move.held, move.attempt, jobs[move.held.job_id]
        if not isinstance(begun, Begun):  # chosen by the caller
            continue
        attempts.append(
            CommandAttempt(
                target_id=held.pk,
                command=begun.command,
                params=begun.params,
                fence=held.fence,
                worker=begun.worker,
            )
        )
        entries.append(
            entry_build(
                actor=job.actor,
                action=f"{job.kind}.command",
                obj=Server(pk=held.server_id, name=held.server_name),
                reason=job.reason,
                before={"power": move.previous_power} if move.previous_power else None,
                after={"command": begun.command, "job": job.pk},
            )
        )
    CommandAttempt.objects.bulk_create(attempts)
    AuditEntry.objects.bulk_create(entries)


def _attempts_end(moves: Sequence[Move]) -> None:
    groups: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        ended = move.attempt
        if isinstance(ended, Ended):
            groups[json.dumps([ended.outcome, ended.params], sort_keys=True)].append(move)
    silent = (AttemptOutcome.NO_REPLY, AttemptOutcome.NOT_SENT)
    for group in groups.values():
        ended = group[0].attempt
        if isinstance(ended, Ended):
            columns: dict[str, Any] = {"outcome": ended.outcome, "outcome_params": ended.params}
            if ended.outcome not in silent:
                columns["answered_at"] = Now()
            CommandAttempt.objects.filter(
                target__in=[move.held.pk for move in group], fence=F("target__fence")
            ).update(**columns)


def _leases_release(winners: Sequence[Move]) -> None:
    done = [m for m in winners if m.held.state in LEASED_STATES and m.to not in LEASED_STATES]
    if not done:
        return
    mine = JobTarget.objects.filter(
        pk__in=[move.held.pk for move in done],
        bmc_id=OuterRef("bmc_id"),
        fence=OuterRef("token"),
    )
    BmcLease.objects.filter(
        Exists(mine), bmc_id__in=[move.held.bmc_id for move in done], expires_at__gt=Now()
    ).update(expires_at=Now())


def _transitions_write(winners: Sequence[Move]) -> None:
    groups: dict[Transition, set[int]] = defaultdict(set)
    for move in winners:
        server_id = move.held.server_id
        was_at_work = move.held.state in AT_WORK
        if server_id is None:
            continue
        if move.to is TargetState.SENT and move.transition:
            groups[move.transition].add(server_id)
        elif was_at_work and move.to not in AT_WORK:
            groups[Transition.NONE].add(server_id)
    if ended := groups.get(Transition.NONE):
        # Another job may still be at work on the same server.
        busy = JobTarget.objects.filter(server_id__in=ended, state__in=sorted(AT_WORK))
        ended -= set(busy.values_list("server_id", flat=True))
    for transition, ids in groups.items():
        if ids:
            transition_set(ids, transition, push=False)


def jobs_finish(job_ids: Iterable[int]) -> int:
    """Note the end of those jobs that have no open target left."""
    ids = list(job_ids)
    if not ids:
        return 0
    still_open = JobTarget.objects.filter(job_id=OuterRef("pk"), state__in=sorted(OPEN))
    jobs = Job.objects.filter(~Exists(still_open), pk__in=ids, finished_at__isnull=True)
    return jobs.update(finished_at=Now())
