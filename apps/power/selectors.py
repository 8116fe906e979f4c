from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.inventory.models import Server
from apps.jobs.choices import UNSENT
from apps.jobs.models import Job, JobTarget
from apps.jobs.selectors import open_targets_of_server, targets_of_server
from apps.power.choices import ACTION_ROLE, IDENTIFY_KIND, KIND, KINDS


def power_open(server: Server) -> QuerySet[JobTarget]:
    """Return the power orders at work on this server, newest first."""
    return open_targets_of_server(server).filter(job__kind=KIND)


def power_orders(server: Server) -> QuerySet[JobTarget]:
    """Return the orders of this server for its power and its light, newest first. Slice it.

    `is_alone`: the job has no other server, so that stopping it stops nothing else.
    `is_followed`: its end ordered what had been chosen before.
    """
    others = JobTarget.objects.filter(job=OuterRef("job_id")).exclude(pk=OuterRef("pk"))
    followers = Job.objects.filter(follows=OuterRef("pk"))
    rows = targets_of_server(server).filter(job__kind__in=KINDS)
    return rows.annotate(is_alone=~Exists(others), is_followed=Exists(followers))


def identify_unsent(server: Server, actor: User, params: dict[str, int]) -> Job | None:
    """Return the order of this very light by this person that has not left yet."""
    rows = Job.objects.filter(
        kind=IDENTIFY_KIND, actor=actor, params=params, stop_requested_at__isnull=True
    )
    return rows.filter(targets__server=server, targets__state__in=sorted(UNSENT)).first()


def may_order(user: User | AnonymousUser, server: Server, action: PowerAction) -> bool:
    """Tell whether this person's grants reach this server with the role the action needs."""
    rows = Server.objects.actionable_by(user, ACTION_ROLE[action])
    return rows.filter(pk=server.pk).exists()
