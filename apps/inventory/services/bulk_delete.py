"""Remove many servers: all of those that were promised, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import entry_build
from apps.inventory.models import Bmc, Server
from apps.inventory.services.bulk import (
    BATCH,
    Refused,
    not_operator,
    operable_ids,
    saved_since,
    servers_loaded,
)
from apps.inventory.services.facts import ServerFacts
from apps.inventory.services.status import servers_changed
from apps.inventory.services.tags import tags_sweep


@dataclass(slots=True)
class DeleteOutcome:
    """What removing many servers does, or did (`is_written`)."""

    removed: list[Server] = field(default_factory=list)
    left_out: list[Refused] = field(default_factory=list)
    """Protected, or not theirs to remove."""
    refused: list[Refused] = field(default_factory=list)
    """Changed since they were shown; nothing was removed."""
    missing: int = 0
    """How many were shown and are gone, or not for this person any more."""
    is_written: bool = False

    @property
    def versions(self) -> dict[int, int]:
        return {server.pk: server.version for server in self.removed}


def servers_delete_preview(*, actor: User, servers: Collection[Server]) -> DeleteOutcome:
    """Say which of these servers would be removed. Nothing is written."""
    outcome = DeleteOutcome()
    for batch in servers_loaded([server.pk for server in servers]):
        operable = operable_ids(actor, batch)
        for server in batch:
            if server.pk not in operable:
                outcome.left_out.append(Refused(server, (not_operator(),)))
            elif server.is_protected:
                reason = _("Protected: %(why)s") % {"why": server.protected_reason}
                outcome.left_out.append(Refused(server, (reason,)))
            else:
                outcome.removed.append(server)
    return outcome


def servers_delete(
    *,
    actor: User,
    servers: Collection[Server],
    expected: Mapping[int, int],
    reason: str = "",
) -> DeleteOutcome:
    """Remove the servers of `expected`, each with its BMC when no other hangs on it, or none.

    One that was saved since it was shown, or is not to be removed any more, is named in `refused`.
    """
    with transaction.atomic():
        outcome = servers_delete_preview(actor=actor, servers=servers)
        outcome.refused = [one for one in outcome.left_out if one.server.pk in expected]
        outcome.left_out = []
        for server in outcome.removed:
            if server.version != expected.get(server.pk):
                outcome.refused.append(Refused(server, (saved_since(),)))
        seen = {server.pk for server in servers}
        outcome.missing = len(set(expected) - seen)
        if outcome.refused or outcome.missing or not outcome.removed:
            return outcome
        for start in range(0, len(outcome.removed), BATCH):
            _remove(actor, outcome.removed[start : start + BATCH], reason)
        outcome.is_written = True
    return outcome


def _remove(actor: User, servers: list[Server], reason: str) -> None:
    AuditEntry.objects.bulk_create(
        [
            entry_build(
                actor=actor, action="inventory.server.delete", obj=server, reason=reason,
                before=ServerFacts.of(server).told(),
            )
            for server in servers
        ]
    )  # fmt: skip
    ids = [server.pk for server in servers]
    servers_changed(ids)
    bmcs = {server.bmc_id for server in servers}
    tags = {tag.pk for server in servers for tag in server.tags.all()}
    Server.objects.filter(pk__in=ids).delete()
    others = Server.objects.filter(bmc=OuterRef("pk"))
    Bmc.objects.filter(~Exists(others), pk__in=bmcs).delete()
    tags_sweep(tags)
