"""Taking due targets: one conditional UPDATE, with the leases of their BMCs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import (
    BooleanField,
    Case,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Now

from apps.core.dbtime import now_plus
from apps.jobs.books import Held, held_of, later_commands
from apps.jobs.choices import TargetState
from apps.jobs.config import RunnerConfig
from apps.jobs.guards import Veto, vetoes
from apps.jobs.models import BmcLease, Job, JobTarget
from apps.jobs.selectors import owner_of, workers_serving
from apps.jobs.worker.access import BmcRow, rows_load

CONFIRM_SECONDS = 5
"""Without an answer from the BMC, two reads at least so far apart must show the wanted state."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A target that is ours now, with all that its conversation needs."""

    held: Held
    claim: uuid.UUID
    """The acquisition of the lease, to prolong it by."""
    kind: str
    params: dict[str, Any]
    evidence: dict[str, Any]
    tries: int
    was_answered: bool
    was_wanted: bool
    is_overdue: bool
    is_superseded: bool
    """A later command went to this BMC: what is read there may be its doing."""
    left: timedelta | None
    """Until the verification ends."""
    row: BmcRow | None
    veto: Veto | None = None
    """A plan guard holds against it; asked again in the statement that records `sent`."""


@dataclass(frozen=True, slots=True)
class Claims:
    fresh: list[Claimed] = field(default_factory=list)
    verifying: list[Claimed] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.verifying)


def claim_due(me: str, config: RunnerConfig) -> Claims:
    """Claim what is due and ours; in a database thread."""
    queued, verifying = _candidates(me, config.claim_limit)
    if not queued and not verifying:
        return Claims()
    fresh_ids = _claim_queued(me, queued, config.lease_seconds) if queued else uuid.uuid4()
    verify_ids = _claim_verifying(me, verifying, config.lease_seconds)
    fresh, again = _targets(fresh_ids), _targets(verify_ids)
    rows = rows_load({target.bmc_id for target in (*fresh, *again) if target.bmc_id})
    held_back = _vetoes(fresh)
    return Claims(
        [_claimed(target, rows, held_back.get(target.pk)) for target in fresh],
        [_claimed(target, rows) for target in again],
    )


def _candidates(me: str, limit: int) -> tuple[dict[int, int], list[int]]:
    """Return due and ours: the first queued target of each BMC, and all that wait for a read."""
    leased = BmcLease.objects.filter(bmc_id=OuterRef("bmc_id"), expires_at__gt=Now())
    startable = Q(
        ~Exists(leased),
        state=TargetState.QUEUED,
        release_at__lte=Now(),
        not_after__gt=Now(),
        job__stop_requested_at__isnull=True,
    )
    rows = (
        JobTarget.objects.filter(startable | Q(state=TargetState.VERIFYING))
        .filter(ended_at__isnull=True, due_at__lte=Now(), bmc__isnull=False)
        .order_by("pk")
        .values_list("pk", "state", "bmc_id", "bmc__site_id")
    )
    queued: dict[int, int] = {}
    verifying: list[int] = []
    due = list(rows)
    workers = workers_serving() if due else []
    for pk, state, bmc_id, site_id in due:
        if owner_of(bmc_id, site_id, workers) != me:
            continue
        if state == TargetState.VERIFYING:
            verifying.append(pk)
        else:
            queued.setdefault(bmc_id, pk)
        if len(queued) + len(verifying) >= limit:
            break
    return queued, verifying


def _claim_queued(me: str, first: dict[int, int], lease_seconds: float) -> uuid.UUID:
    token = uuid.uuid4()
    with transaction.atomic():
        leases_make(first)
        free = list(
            BmcLease.objects.select_for_update(skip_locked=True)
            .filter(pk__in=first, expires_at__lte=Now())
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        if not free:
            return token
        BmcLease.objects.filter(pk__in=free, expires_at__lte=Now()).update(
            holder=me, claim=token, token=F("token") + 1, expires_at=now_plus(lease_seconds)
        )
        stopped = Job.objects.filter(pk=OuterRef("job_id"), stop_requested_at__isnull=False)
        fence = BmcLease.objects.filter(bmc_id=OuterRef("bmc_id")).values("token")[:1]
        won = JobTarget.objects.filter(
            # No joins here: PostgreSQL would look at the state in a subquery, that is, too early.
            ~Exists(stopped),
            pk__in=[first[bmc_id] for bmc_id in free],
            state=TargetState.QUEUED,
            release_at__lte=Now(),
            not_after__gt=Now(),
        ).update(
            state=TargetState.LEASED,
            state_at=Now(),
            token=token,
            worker=me,
            fence=Subquery(fence),
        )
        if won < len(free):
            used = JobTarget.objects.filter(token=token).values("bmc_id")
            unused = BmcLease.objects.filter(pk__in=free, claim=token).exclude(pk__in=used)
            unused.update(expires_at=Now())
    return token


def leases_make(bmc_ids: Iterable[int]) -> None:
    """Make the lease rows that do not exist yet."""
    wanted = set(bmc_ids)
    there = set(BmcLease.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    if missing := sorted(wanted - there):
        BmcLease.objects.bulk_create(
            [BmcLease(bmc_id=bmc_id) for bmc_id in missing], ignore_conflicts=True
        )


def _claim_verifying(me: str, ids: list[int], lease_seconds: float) -> uuid.UUID:
    """A read needs no lease. If its worker dies, it is due again after `lease_seconds`."""
    token = uuid.uuid4()
    if not ids:
        return token
    with transaction.atomic():
        due = JobTarget.objects.filter(state=TargetState.VERIFYING, due_at__lte=Now())
        free = due.select_for_update(skip_locked=True).filter(pk__in=ids).order_by("pk")
        due.filter(pk__in=list(free.values_list("pk", flat=True))).update(
            token=token, worker=me, due_at=now_plus(lease_seconds)
        )
    return token


def _targets(token: uuid.UUID) -> list[JobTarget]:
    left = ExpressionWrapper(F("verify_until") - Now(), output_field=DurationField())
    rows = JobTarget.objects.filter(token=token).select_related("job")
    return list(
        rows.annotate(
            left=left,
            is_superseded=Exists(later_commands()),
            is_overdue=_holds(verify_until__lte=Now()),
            was_wanted=_holds(wanted_seen_at__lte=now_plus(-CONFIRM_SECONDS)),
        ).order_by("pk")
    )


def _holds(**condition: Any) -> Case:
    return Case(
        When(**condition, then=Value(True)), default=Value(False), output_field=BooleanField()
    )


def _vetoes(targets: Iterable[JobTarget]) -> dict[int, Veto]:
    by_kind: dict[str, dict[int, int]] = {}
    for target in targets:
        if target.server_id is not None:
            by_kind.setdefault(target.job.kind, {})[target.server_id] = target.pk
    return {
        targets_of[server_id]: veto
        for kind, targets_of in by_kind.items()
        for server_id, veto in vetoes(kind, targets_of).items()
    }


def _claimed(target: Any, rows: dict[int, BmcRow], veto: Veto | None = None) -> Claimed:
    return Claimed(
        held=held_of(target),
        claim=target.token,
        kind=target.job.kind,
        params=target.job.params,
        evidence=target.evidence,
        tries=target.tries,
        was_answered=target.answered_at is not None,
        was_wanted=target.was_wanted,
        is_overdue=target.is_overdue,
        is_superseded=target.is_superseded,
        left=target.left,
        row=rows.get(target.bmc_id),
        veto=veto,
    )


def leases_renew(claims: Iterable[uuid.UUID], bmc_ids: Iterable[int], seconds: float) -> int:
    """Prolong leases that are alive and still these very acquisitions."""
    rows = BmcLease.objects.filter(
        pk__in=list(bmc_ids), claim__in=list(claims), expires_at__gt=Now()
    )
    return rows.update(expires_at=now_plus(seconds))
