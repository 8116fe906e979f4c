"""The rows of an order: its targets, its audit entries, and the order that may follow its end.

An escalation (soft off, then hard off if the person chose so before) is a job of its own, linked to
the target whose end called for it, and not a second phase of that target. So J1 and J2 stay as
simple as they are: a target has one course, one final result and one command, and what was asked
for can be told apart from what came after it. The link is unique, and it is written in the
transaction of that final result: a crash leaves both or neither, and never two. It has no grace
period of its own: there were minutes to stop the earlier job, which keeps it from coming.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.audit.models import AuditEntry
from apps.audit.services import entry_build
from apps.core.dbtime import now_plus
from apps.inventory.models import Server
from apps.inventory.services import servers_changed
from apps.jobs import handlers
from apps.jobs.choices import ResultCode, TargetState
from apps.jobs.config import NOT_AFTER_SECONDS
from apps.jobs.guards import vetoes
from apps.jobs.handlers import End
from apps.jobs.models import Job, JobTarget


def targets_create(
    job: Job, servers: Sequence[Server], *, grace_seconds: float = 0.0, **told: Any
) -> None:
    """Write the targets of a new job and their audit entries, in the transaction of the job.

    :param grace_seconds: nothing is sent before, and `not_after` counts from then.
    :param told: more for the audit.
    """
    # The times are expressions: the database's clock, whatever ours says.
    JobTarget.objects.bulk_create(
        [
            JobTarget(
                job=job,
                server=server,
                server_name=server.name,
                bmc_id=server.bmc_id,
                due_at=now_plus(grace_seconds),
                release_at=now_plus(grace_seconds),
                not_after=now_plus(grace_seconds + NOT_AFTER_SECONDS),
            )
            for server in servers
        ]
    )
    AuditEntry.objects.bulk_create(
        [
            entry_build(
                actor=job.actor,
                action=f"{job.kind}.order",
                obj=server,
                reason=job.reason,
                after={"job": job.pk, **job.params, **told},
            )
            for server in servers
        ]
    )
    servers_changed(server.pk for server in servers)


def follow_ups_create(wanted: Mapping[int, dict[str, Any]]) -> list[tuple[JobTarget, End]]:
    """Order what follows these targets; return the new targets that end at once, and how.

    Nothing follows a job that somebody stopped meanwhile: whoever stops it waits for our
    transaction, and then stops what follows.

    :param wanted: the parameters of the new job, by target.
    """
    refused = []
    for target in JobTarget.objects.filter(pk__in=wanted).select_related("server").order_by("pk"):
        earlier = Job.objects.select_for_update().get(pk=target.job_id)
        if earlier.stop_requested_at is not None or target.server is None:
            continue
        job = Job.objects.create(
            kind=earlier.kind,
            params=wanted[target.pk],
            actor=earlier.actor,
            actor_name=earlier.actor_name,
            reason=earlier.reason,
            follows=target,
        )
        targets_create(job, [target.server], follows=earlier.pk)
        if end := _refusal(job, target.server):
            refused.append((job.targets.get(), end))
    return refused


def _refusal(job: Job, server: Server) -> End | None:
    """Ask again for what was asked at the order: minutes have passed since."""
    handler = handlers.handler_of(job.kind)
    if job.actor is None or not handler.is_allowed(job.actor, server, job.params):
        return End(TargetState.FAILED, ResultCode.NOT_ALLOWED)
    veto = vetoes(job.kind, [server.pk]).get(server.pk)
    return End(TargetState.FAILED, veto.code, dict(veto.params)) if veto else None
