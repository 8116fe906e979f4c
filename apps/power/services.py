"""Power orders as people give them. Safe in a request: nothing here talks to a BMC."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied

from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.inventory.models import Server
from apps.jobs.guards import Vetoed
from apps.jobs.models import Job
from apps.jobs.services import job_create
from apps.power.choices import (
    GRACE,
    IDENTIFY_KIND,
    IDENTIFY_ROLE,
    IDENTIFY_SECONDS,
    KIND,
    PowerResult,
)
from apps.power.selectors import identify_unsent, may_order


class ServerProtected(Exception):
    """No power command goes to this server. `reason` is what an admin wrote."""

    def __init__(self, reason: str) -> None:
        super().__init__(PowerResult.PROTECTED)
        self.reason = reason


def power_order(
    *,
    server: Server,
    action: PowerAction,
    actor: User,
    reason: str = "",
    request_key: uuid.UUID | None = None,
    grace_seconds: float | None = None,
    escalate: bool = False,
) -> Job:
    """Order one action for one server; the worker does it within a second or so of its release.

    :param grace_seconds: how long nothing is sent, so that `job_stop` is sure to win; None: what
        the portal does by default, `POWER_GRACE_SECONDS` for all but power on.
    :param escalate: with soft off: cut the power if it is still on when its time is over. Rights
        and protection are asked for again then.
    :raises PermissionDenied: this person may not do that to this server.
    :raises ServerProtected: nobody may; an admin lifts the protection.
    :raises apps.jobs.services.RequestKeyReused: the key was used for another order.
    :raises ValueError: escalation of another action, or a grace period out of bounds.
    """
    if not may_order(actor, server, action):
        raise PermissionDenied
    params: dict[str, Any] = {"action": action.value}
    if escalate:
        if not may_order(actor, server, PowerAction.OFF):
            raise PermissionDenied
        params["escalate"] = True
    try:
        return job_create(
            kind=KIND,
            params=params,
            targets=[server],
            actor=actor,
            reason=reason,
            request_key=request_key,
            grace_seconds=grace_of(action) if grace_seconds is None else grace_seconds,
        )
    except Vetoed as error:
        raise ServerProtected(str(error.veto.params.get("reason", ""))) from error


def grace_of(action: PowerAction) -> int:
    """Return how many seconds this action waits by default."""
    return int(settings.POWER_GRACE_SECONDS) if action in GRACE else 0


def identify_order(
    *,
    server: Server,
    actor: User,
    seconds: int = IDENTIFY_SECONDS,
    reason: str = "",
    request_key: uuid.UUID | None = None,
) -> Job:
    """Light the identify LED for some seconds (IPMI 2.0 §28.5); 0 turns it off.

    Allowed on protected servers too. A second press before the first is sent is the same order.

    :raises PermissionDenied: this person may not do that to this server.
    :raises apps.jobs.services.RequestKeyReused: the key was used for another order.
    :raises ValueError: not 0 to 255 seconds.
    """
    if not Server.objects.actionable_by(actor, IDENTIFY_ROLE).filter(pk=server.pk).exists():
        raise PermissionDenied
    params = {"seconds": seconds}
    if request_key is None and (waiting := identify_unsent(server, actor, params)):
        return waiting
    return job_create(
        kind=IDENTIFY_KIND,
        params=params,
        targets=[server],
        actor=actor,
        reason=reason,
        request_key=request_key,
    )
