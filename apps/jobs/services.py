"""Jobs as people order and stop them. Everything here is safe in a request."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from celery import current_app
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.selectors import capped
from apps.inventory.models import Server
from apps.inventory.services import servers_changed
from apps.jobs import books, guards, handlers
from apps.jobs.books import Move, held_of
from apps.jobs.choices import UNSENT, ResultCode, TargetState
from apps.jobs.guards import Vetoed
from apps.jobs.handlers import End
from apps.jobs.models import Job, JobTarget
from apps.jobs.orders import targets_create
from apps.jobs.selectors import owner_of, workers_serving

log = structlog.get_logger(__name__)

MOST_GRACE_SECONDS = 300
RING_TASK = "jobs.ring"
RING_SECONDS = 30
"""A bell that nobody heard for so long is thrown away; the runners ask by themselves."""


class RequestKeyReused(Exception):
    """The same request key came with another order, or from another person."""


def queue_of(worker_name: str) -> str:
    """Return the name of a worker's own queue."""
    return f"bmc.{worker_name}"


def job_create(
    *,
    kind: str,
    params: Mapping[str, Any],
    targets: Sequence[Server],
    actor: User,
    reason: str = "",
    request_key: uuid.UUID | None = None,
    grace_seconds: float = 0.0,
) -> Job:
    """Write job, targets and audit in one transaction, and ring their workers on commit.

    The caller has checked the rights. The same `request_key` gives the same job, also in parallel.

    :param grace_seconds: so long nothing is sent, not even a reading, and a stop is certain to win.
    :raises RequestKeyReused: the key was used for another order.
    :raises apps.jobs.guards.Vetoed: a server is kept from it; no job was made.
    :raises ValueError: no targets, or parameters the handler refuses.
    """
    handlers.handler_of(kind).check_params(params)
    if not targets:
        raise ValueError("a job needs at least one server")
    if not 0 <= grace_seconds <= MOST_GRACE_SECONDS:
        raise ValueError(f"the grace period is from 0 to {MOST_GRACE_SECONDS} s")
    if earlier := _job_of_request(kind, params, targets, actor, request_key):
        return earlier
    _veto_check(kind, targets)
    job = Job(
        kind=kind,
        params=dict(params),
        actor=actor,
        actor_name=actor.get_username(),
        reason=reason[:500],
        request_key=request_key,
    )
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            targets_create(job, targets, grace_seconds=grace_seconds)
            _ring_on_commit(targets)
    except IntegrityError:
        if earlier := _job_of_request(kind, params, targets, actor, request_key):
            return earlier
        raise
    return job


def _veto_check(kind: str, targets: Sequence[Server]) -> None:
    """:raises Vetoed:"""
    found = guards.vetoes(kind, [server.pk for server in targets])
    for server in targets:
        if veto := found.get(server.pk):
            raise Vetoed(server, veto)


def _job_of_request(
    kind: str,
    params: Mapping[str, Any],
    targets: Sequence[Server],
    actor: User,
    request_key: uuid.UUID | None,
) -> Job | None:
    """:raises RequestKeyReused:"""
    if request_key is None:
        return None
    job = Job.objects.filter(request_key=request_key).first()
    if job is None:
        return None
    ordered = set(job.targets.values_list("server_id", flat=True))
    is_same = (
        job.kind == kind
        and job.params == dict(params)
        and job.actor_id == actor.pk
        and ordered == {server.pk for server in targets}
    )
    if not is_same:
        raise RequestKeyReused
    return job


def _ring_on_commit(servers: Sequence[Server]) -> None:
    bmcs = {server.bmc_id for server in servers}
    transaction.on_commit(partial(workers_ring, bmcs))


def job_stop(*, job: Job, actor: User) -> int:
    """Stop what is not sent yet; return how many targets that were. What is sent is verified.

    Twice is once. What would follow its end does not follow; what has just followed is stopped too.

    :raises PermissionDenied: neither theirs, nor operator of every server in it.
    """
    if not may_stop(actor, job):
        raise PermissionDenied
    with transaction.atomic():
        _stop_note(job, actor)
        # Asked for after the lock on the job: what followed it by then is seen, and no more comes.
        followers = list(Job.objects.filter(follows__job=job))
        for follower in followers:
            _stop_note(follower, actor)
        stoppable = JobTarget.objects.filter(job__in=[job, *followers], state__in=sorted(UNSENT))
        end = End(TargetState.CANCELLED, ResultCode.STOPPED)
        # Locked in order; a conversation that just moved its target is seen where it is now.
        targets = stoppable.select_for_update(of=("self",)).order_by("pk")
        moves = [Move(held_of(target), TargetState.CANCELLED, end=end) for target in targets]
        outcome = books.apply(moves, fresh=uuid.uuid4()) if moves else books.Outcome()
        servers_changed(outcome.server_ids)
    return len(outcome.won)


def _stop_note(job: Job, actor: User) -> None:
    rows = Job.objects.filter(pk=job.pk, stop_requested_at__isnull=True)
    if rows.filter(finished_at__isnull=True).update(stop_requested_at=Now(), stopped_by=actor):
        entry_record(actor=actor, action="job.stop", obj=job, after={"job": job.pk})


def may_stop(actor: User, job: Job) -> bool:
    """Tell whether this person ordered it, or is operator on all of its servers.

    A token that may only read stops nothing, whoever ordered it.
    """
    if job.actor_id == actor.pk and actor.is_active and capped(actor, Role.USER) == Role.USER:
        return True
    servers = Server.objects.filter(job_targets__job=job)
    able = Server.objects.actionable_by(actor, Role.OPERATOR)
    return servers.exists() and not servers.exclude(pk__in=able.values("pk")).exists()


def workers_ring(bmc_ids: Iterable[int]) -> None:
    """Wake the owners of these BMCs. A bell that is lost costs a second, never an error."""
    rows = Server.objects.filter(bmc__in=set(bmc_ids)).values_list("bmc_id", "bmc__site_id")
    workers = workers_serving()
    bells_ring(owner_of(bmc_id, site_id, workers) for bmc_id, site_id in rows.distinct().order_by())


def bells_ring(names: Iterable[str | None]) -> None:
    """Wake these workers, each once; None is nobody."""
    for name in sorted(set(filter(None, names))):
        try:
            current_app.send_task(
                RING_TASK, queue=queue_of(name), expires=RING_SECONDS, retry=False
            )
        except Exception as error:  # noqa: BLE001  each transport raises its own; delay is the only harm
            log.warning("bell_lost", worker=name, error=type(error).__name__)
            return  # the broker is away: the next bell would only cost the person more time
