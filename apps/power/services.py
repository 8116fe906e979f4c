"""Power orders as people give them. Safe in a request: nothing here talks to a BMC."""

from __future__ import annotations

import uuid

from django.core.exceptions import PermissionDenied

from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.inventory.models import Server
from apps.jobs.models import Job
from apps.jobs.services import job_create
from apps.power.choices import KIND
from apps.power.selectors import may_order


def power_order(
    *,
    server: Server,
    action: PowerAction,
    actor: User,
    reason: str = "",
    request_key: uuid.UUID | None = None,
) -> Job:
    """Order one action for one server; the worker does it within a second or so.

    :raises PermissionDenied: this person may not do that to this server.
    :raises apps.jobs.services.RequestKeyReused: the key was used for another order.
    """
    if not may_order(actor, server, action):
        raise PermissionDenied
    return job_create(
        kind=KIND,
        params={"action": action.value},
        targets=[server],
        actor=actor,
        reason=reason,
        request_key=request_key,
    )
