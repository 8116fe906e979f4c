"""Reading the power state of every server, again and again. It never sends a command."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from apps.bmc import BmcBreakerOpen, BmcError, BmcLoginTooSoon, BmcOverloaded
from apps.core.dbtime import now_plus
from apps.inventory.choices import Power
from apps.inventory.models import Bmc, ServerStatus
from apps.inventory.services import PowerFault, PowerReading
from apps.jobs.models import BmcLease
from apps.jobs.selectors import owner_of, workers_serving
from apps.jobs.sources import Desk, Source
from apps.jobs.worker.access import BmcRow, NoAccess, rows_load
from apps.jobs.worker.course import guid_read

JITTER_STEPS: Final = 8
JITTER: Final = 0.2
"""BMCs that were added together shall not be asked together for ever."""

NOTHING_LEARNED: Final = (BmcBreakerOpen, BmcLoginTooSoon, BmcOverloaded)
"""Nothing was asked. What is shown already has its fault or its age."""


def due_claim(me: str) -> list[BmcRow]:
    """Take the BMCs that are due and ours, and note when they are due next."""
    leased = BmcLease.objects.filter(bmc_id=OuterRef("pk"), expires_at__gt=Now())
    elsewhere = leased.exclude(holder=me)
    due = Bmc.objects.filter(poll_due_at__lte=Now())
    candidates = list(due.filter(~Exists(elsewhere)).values_list("pk", "site_id"))
    if not candidates:
        return []
    workers = workers_serving()
    mine = [pk for pk, site_id in candidates if owner_of(pk, site_id, workers) == me]
    if not mine:
        return []
    with transaction.atomic():
        free = due.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=mine)
        won = list(free.order_by("pk").values_list("pk", flat=True))
        _postpone(won)
    return list(rows_load(won).values())


def _postpone(ids: Sequence[int]) -> None:
    watched = ServerStatus.objects.filter(server__bmc__in=ids, watched_until__gt=Now())
    soon = set(watched.values_list("server__bmc_id", flat=True))
    rows = Bmc.objects
    if soon:
        rows.filter(pk__in=soon).update(poll_due_at=now_plus(settings.POLL_WATCHED_SECONDS))
    others = [pk for pk in ids if pk not in soon]
    random.shuffle(others)
    for step in range(JITTER_STEPS):
        if part := others[step::JITTER_STEPS]:
            factor = 1 - JITTER * (step + random.random()) / JITTER_STEPS  # noqa: S311
            rows.filter(pk__in=part).update(poll_due_at=now_plus(settings.POLL_SECONDS * factor))


class PowerPoll(Source):
    name: ClassVar[str] = "power poll"

    def __init__(self) -> None:
        self._asked_for_guid: set[int] = set()
        self._busy: set[int] = set()

    async def tick(self, desk: Desk) -> None:
        for row in await desk.db(due_claim, desk.me):
            if row.bmc_id not in self._busy:
                self._busy.add(row.bmc_id)
                desk.spawn(self._read(desk, row))

    async def _read(self, desk: Desk, row: BmcRow) -> None:
        try:
            access = await desk.doorman.admit(row)
            async with desk.pool.session(
                access.endpoint, access.credential, interactive=False
            ) as bmc:
                power = Power((await bmc.chassis_status()).power.value)
                desk.count("polls_read")
                self._tell(desk, row, power)
                if not row.guid and row.bmc_id not in self._asked_for_guid:
                    self._asked_for_guid.add(row.bmc_id)
                    if guid := await guid_read(bmc):
                        desk.news.guid(row.bmc_id, guid)
        except NOTHING_LEARNED:
            desk.count("polls_put_off")
        except (NoAccess, BmcError) as error:
            desk.count("polls_failed")
            for server_id in row.server_ids:
                desk.news.read(PowerFault(server_id, error.code, error.params))
        finally:
            self._busy.discard(row.bmc_id)

    def _tell(self, desk: Desk, row: BmcRow, power: Power) -> None:
        for server_id in row.server_ids:
            desk.news.read(PowerReading(server_id, power))
