"""Which BMCs are read next. Nothing here talks to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.inventory.models import Bmc, Server, ServerStatus

WATCH_SECONDS: Final = 30


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


def servers_watch(server_ids: Iterable[int]) -> None:
    """Somebody looks at these servers: read them every few seconds for the next half minute.

    Cheap when they are watched already: a row is written at most every quarter of a minute.
    """
    ids = list(server_ids)
    is_fading = Q(watched_until__isnull=True) | Q(watched_until__lt=now_plus(WATCH_SECONDS / 2))
    rows = ServerStatus.objects.filter(is_fading, pk__in=ids)
    if rows.update(watched_until=now_plus(WATCH_SECONDS)):
        soon = now_plus(settings.POLL_WATCHED_SECONDS)
        Bmc.objects.filter(servers__in=ids, poll_due_at__gt=soon).update(poll_due_at=Now())
