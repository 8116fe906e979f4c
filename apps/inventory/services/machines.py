"""Who answers at the address of a BMC, as it says itself; and what a person says of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.bmc import Reported
from apps.clusters.choices import Role
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.inventory.services.status import readings_forget, servers_changed

WRONG_IDENTITY = "wrong_identity"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a BMC says of itself; empty where it says nothing."""

    guid: str = ""
    serial: str = ""


class MachineChanged(Exception):
    """It is not this machine that answers now, or it is none that must be accepted."""


def identity_learn(
    *,
    bmc_id: int,
    address: str,
    port: int,
    who: Reported,
    guid: str = "",
    is_refresh: bool = False,
) -> None:
    """Keep what a BMC said of itself, where nothing was known: the record is not overwritten.

    A firmware is no identity: with `is_refresh` the present one replaces the one that was read
    before. Nothing is written when the BMC stands at another address by now.
    """
    told = {
        "vendor": who.vendor,
        "product": who.product,
        "firmware": who.firmware,
        "seen_serial": who.serial,
        "guid": guid,
    }
    columns: dict[str, Any] = {
        name: Case(When(**{name: ""}, then=Value(value)), default=F(name))
        for name, value in told.items()
        if value
    }
    if is_refresh and who.firmware:
        columns["firmware"] = who.firmware
    if columns:
        Bmc.objects.filter(pk=bmc_id, address=address, port=port).update(**columns)


def machine_recorded(bmc: Bmc) -> Machine:
    return Machine(bmc.guid, bmc.seen_serial)


def machine_answering(status: ServerStatus) -> Machine | None:
    """Return the other machine that answered at the last reading, or None."""
    if status.fault != WRONG_IDENTITY:
        return None
    params = status.fault_params
    return Machine(str(params.get("guid", "")), str(params.get("serial", "")))


def machine_accept(*, actor: User, server: Server, machine: Machine, reason: str = "") -> None:
    """Record this very machine in place of the one that was known; it is read at once.

    Only what the person saw is accepted: a third machine is refused like the second was.

    :raises PermissionDenied: no operator of every server of this BMC.
    :raises MachineChanged: see there; nothing was changed.
    """
    servers = Server.objects.filter(bmc=server.bmc_id)
    able = Server.objects.actionable_by(actor, Role.OPERATOR)
    if servers.exclude(pk__in=able.values("pk")).exists():
        raise PermissionDenied
    with transaction.atomic():
        bmc = Bmc.objects.select_for_update().get(pk=server.bmc_id)
        status = ServerStatus.objects.get(pk=server.pk)
        if machine_answering(status) != machine:
            raise MachineChanged
        before = machine_recorded(bmc)
        bmc.guid, bmc.seen_serial = machine.guid, machine.serial
        bmc.vendor = bmc.product = bmc.firmware = ""
        bmc.poll_due_at = Now()
        bmc.save()
        readings_forget(bmc)
        for row in servers:
            entry_record(
                actor=actor,
                action="inventory.bmc.accept",
                obj=row,
                reason=reason,
                before={"guid": before.guid, "serial": before.serial},
                after={"guid": machine.guid, "serial": machine.serial},
            )
        servers_changed([row.pk for row in servers])
