"""Which BMCs are read next. Nothing here talks to one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import entry_build, entry_record
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.locks import rows_lock
from apps.inventory.models import Bmc, Server, ServerQuerySet, ServerStatus

WATCH_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class ReadAsked:
    """How many servers are read now, and on how many BMCs a refused password is tried again."""

    count: int
    forgiven: int


def server_read_now(*, actor: User, server: Server) -> bool:
    """Make the BMC due at once; return whether a refused password will be tried again.

    A password that the BMC refused is not tried again by reading alone: only an operator's wish
    counts as a new reason, and the audit keeps it.
    """
    bmcs = Bmc.objects.filter(pk=server.bmc_id)
    with transaction.atomic():
        bmcs.update(poll_due_at=Now())
        if not Server.objects.actionable_by(actor, Role.OPERATOR).filter(pk=server.pk).exists():
            return False
        refused = bmcs.exclude(refused_count=0, refused_key="")
        is_forgiven = bool(refused.update(refused_key="", refused_count=0))
        if is_forgiven:
            entry_record(actor=actor, action="inventory.bmc.try_again", obj=server)
    return is_forgiven


def server_ask(server: Server) -> None:
    """Somebody decides by this server's state: read it at once, and every few seconds for a while.

    Nobody is asked for rights: it reads, as looking at the server's page does.
    """
    servers_watch([server.pk])
    Bmc.objects.filter(pk=server.bmc_id, poll_due_at__gt=Now()).update(poll_due_at=Now())


def servers_read_now(*, actor: User, servers: ServerQuerySet) -> ReadAsked:
    """Make the BMCs of many servers due at once. They must be visible to the actor.

    As `server_read_now`: a refused password is tried again where the actor is operator.
    """
    with transaction.atomic():
        ids = list(servers.order_by().values_list("pk", flat=True))
        bmcs = rows_lock(Bmc.objects.filter(pk__in=servers.order_by().values("bmc")))
        Bmc.objects.filter(pk__in=bmcs).update(poll_due_at=Now())
        theirs = Server.objects.actionable_by(actor, Role.OPERATOR).filter(pk__in=ids)
        refused = Bmc.objects.filter(servers__in=theirs).exclude(refused_count=0, refused_key="")
        forgiven = list(refused.distinct().values_list("pk", flat=True))
        if forgiven:
            Bmc.objects.filter(pk__in=forgiven).update(refused_key="", refused_count=0)
            action = "inventory.bmc.try_again"
            AuditEntry.objects.bulk_create(
                entry_build(actor=actor, action=action, obj=server)
                for server in theirs.filter(bmc__in=forgiven)
            )
    return ReadAsked(len(ids), len(forgiven))


def servers_watch(server_ids: Iterable[int]) -> None:
    """Somebody looks at these servers: read them every few seconds for the next half minute.

    Cheap when they are watched already: a row is written at most every quarter of a minute.
    """
    ids = list(server_ids)
    is_fading = Q(watched_until__isnull=True) | Q(watched_until__lt=now_plus(WATCH_SECONDS / 2))
    rows = ServerStatus.objects.filter(is_fading, pk__in=ids)
    with transaction.atomic():
        is_new = bool(rows_lock(rows) and rows.update(watched_until=now_plus(WATCH_SECONDS)))
    if is_new:
        soon = now_plus(settings.POLL_WATCHED_SECONDS)
        late = Bmc.objects.filter(servers__in=ids, poll_due_at__gt=soon)
        with transaction.atomic():
            bmcs = rows_lock(Bmc.objects.filter(pk__in=late.values("pk")))
            Bmc.objects.filter(pk__in=bmcs).update(poll_due_at=Now())
