"""Jobs over REST: what was ordered, how far it is, and how to stop it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from django.db.models import Count
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.accounts.models import User
from apps.audit.api import idempotent, once
from apps.core.api import ApiRequest, Listing, api_view, shown
from apps.core.api_docs import PK, acts, list_parameters, lists, page_of, reads
from apps.inventory.models import Server
from apps.jobs.filtersets import JobFilterSet, TargetFilterSet
from apps.jobs.models import Job, JobTarget
from apps.jobs.selectors import jobs_visible_to, targets_visible_to
from apps.jobs.serializers import (
    JobDetailSerializer,
    JobSerializer,
    JobStoppedSerializer,
    TargetSerializer,
)
from apps.jobs.services import job_stop

TARGETS_SHOWN: Final = 200


def counts_by_job(user: User, jobs: Iterable[Job]) -> dict[int, dict[str, int]]:
    """Return how many targets this person sees in which state, by job; one query."""
    seen = JobTarget.objects.filter(job__in=list(jobs), server__in=Server.objects.visible_to(user))
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = seen.order_by().values_list("job_id", "state").annotate(count=Count("pk"))
    for job_id, state, count in rows:
        counts[job_id][state] = count
    return counts


def _page_context(rows: Sequence[Any], request: ApiRequest) -> dict[str, Any]:
    return {"counts": counts_by_job(request.user, rows)}


JOBS: Final = Listing(
    JobSerializer,
    {"-created_at": ("-created_at",), "created_at": ("created_at",)},
    JobFilterSet,
    _page_context,
)
TARGETS: Final = Listing(
    TargetSerializer,
    {"id": (), "state": ("state",), "name": ("server_name",)},
    TargetFilterSet,
)


def job_url(pk: int) -> str:
    return reverse("jobs_api:job_detail", args=[pk])


def job_context(request: ApiRequest, job: Job) -> dict[str, Any]:
    """Return what `JobDetailSerializer` needs beside the job."""
    return {
        "counts": counts_by_job(request.user, [job]),
        "targets": list(targets_visible_to(request.user, job)[:TARGETS_SHOWN]),
    }


def job_accepted(request: ApiRequest, job: Job) -> Response:
    """Answer 202 with a job that was ordered just now, and where it can be followed."""
    return shown(
        JobDetailSerializer,
        job,
        request,
        status=HTTPStatus.ACCEPTED,
        location=job_url(job.pk),
        **job_context(request, job),
    )


@lists("job", JOBS)
@api_view("GET")
def job_list(request: ApiRequest) -> Response:
    """Jobs with at least one server that this person sees, newest first."""
    return JOBS.answer(request, jobs_visible_to(request.user))


@reads("job", JobDetailSerializer)
@api_view("GET")
def job_detail(request: ApiRequest, pk: int) -> Response:
    """One job with its targets. `finished_at` is null as long as something is open."""
    job = get_object_or_404(jobs_visible_to(request.user), pk=pk)
    return shown(JobDetailSerializer, job, request, **job_context(request, job))


@extend_schema(
    operation_id="job_targets",
    summary="List the servers of a job",
    tags=["jobs"],
    parameters=[PK, *list_parameters(TARGETS)],
    responses=page_of(TARGETS),
)
@api_view("GET")
def job_targets(request: ApiRequest, pk: int) -> Response:
    """The servers of a job that this person sees, and how far each is."""
    job = get_object_or_404(jobs_visible_to(request.user), pk=pk)
    return TARGETS.answer(request, targets_visible_to(request.user, job))


@acts("job_stop", "Stop what is not sent yet", "jobs", JobStoppedSerializer)
@api_view("POST")
@idempotent
def job_stop_view(request: ApiRequest, pk: int) -> Response:
    """What was sent already is verified to its end; nothing else leaves. Twice is once."""
    job = get_object_or_404(jobs_visible_to(request.user), pk=pk)

    def stop(_key: object) -> Response:
        count = job_stop(job=job, actor=request.user)
        job.refresh_from_db()
        told = {"stopped_count": count, "job": job}
        context = {"request": request, **job_context(request, job)}
        return Response(JobStoppedSerializer(told, context=context).data)

    return once(request, stop)
