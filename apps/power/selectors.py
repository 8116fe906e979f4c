from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.inventory.models import Server
from apps.jobs.models import JobTarget
from apps.jobs.selectors import open_targets_of_server, targets_of_server
from apps.power.choices import ACTION_ROLE, KIND


def power_open(server: Server) -> QuerySet[JobTarget]:
    """Return the power orders at work on this server, newest first."""
    return open_targets_of_server(server).filter(job__kind=KIND)


def power_orders(server: Server) -> QuerySet[JobTarget]:
    """Return the power orders of this server, newest first. Slice it."""
    return targets_of_server(server).filter(job__kind=KIND)


def may_order(user: User | AnonymousUser, server: Server, action: PowerAction) -> bool:
    """Tell whether this person's grants reach this server with the role the action needs."""
    rows = Server.objects.actionable_by(user, ACTION_ROLE[action])
    return rows.filter(pk=server.pk).exists()
