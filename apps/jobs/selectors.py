"""Reads of jobs and workers, and who serves which BMC."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User
from apps.core.dbtime import now_plus
from apps.inventory.models import Server
from apps.jobs.choices import OPEN
from apps.jobs.config import gone_seconds
from apps.jobs.models import Job, JobTarget, Worker


def job_group(job_id: int) -> str:
    """Return the channel group to which changes of a job are published."""
    return f"job.{job_id}"


@dataclass(frozen=True, slots=True)
class Serving:
    """A live worker, as far as ownership is concerned."""

    name: str
    site_id: int | None


def workers_live() -> QuerySet[Worker]:
    """Return the bmc workers with a fresh heartbeat that take new work."""
    since = now_plus(-gone_seconds())
    return Worker.objects.filter(heartbeat_at__gt=since, stopping_at__isnull=True)


def workers_serving() -> list[Serving]:
    return [Serving(name, site) for name, site in workers_live().values_list("name", "site_id")]


def owner_of(bmc: int | str, site_id: int, workers: Sequence[Serving]) -> str | None:
    """Return the name of the worker that serves this BMC (rendezvous hash), or None.

    A BMC that is not in the inventory is named by its address and port. Every process that sees the
    same workers gives the same answer; when one goes, only its BMCs move.
    """

    def weight(worker: Serving) -> bytes:
        return hashlib.blake2b(f"{worker.name}/{bmc}".encode(), digest_size=8).digest()

    able = [worker for worker in workers if worker.site_id in (None, site_id)]
    return max(able, key=weight).name if able else None


def jobs_visible_to(user: User | AnonymousUser) -> QuerySet[Job]:
    """Keep the jobs with at least one server that this person may see."""
    seen = JobTarget.objects.filter(
        job_id=OuterRef("pk"), server__in=Server.objects.visible_to(user)
    )
    return Job.objects.filter(Exists(seen)).select_related("actor", "stopped_by")


def targets_visible_to(user: User | AnonymousUser, job: Job) -> QuerySet[JobTarget]:
    """Return the targets of a job, without those this person may not see."""
    rows = JobTarget.objects.filter(job=job, server__in=Server.objects.visible_to(user))
    return rows.select_related("job", "server")


def targets_of_server(server: Server) -> QuerySet[JobTarget]:
    """Return what was ordered for this server, newest first. Slice it."""
    return (
        JobTarget.objects.filter(server=server)
        .select_related("job", "job__actor")
        .prefetch_related("attempts")
        .order_by("-pk")
    )


def open_targets_of_server(server: Server) -> QuerySet[JobTarget]:
    """Return what is being done to this server now, newest first."""
    return targets_of_server(server).filter(state__in=sorted(OPEN))
