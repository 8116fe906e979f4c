"""What conversations learn beside their targets, written and pushed at most every 200 ms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from django.db import transaction

from apps.bmc import Reported
from apps.core import events
from apps.core.locks import rows_lock
from apps.inventory.models import Bmc
from apps.inventory.services import (
    PowerFault,
    PowerReading,
    identity_learn,
    servers_changed,
    status_record,
)
from apps.jobs.books import Outcome
from apps.jobs.selectors import job_group
from apps.jobs.worker.db import DATABASE_AWAY, DbThreads
from apps.jobs.worker.refusals import Refusal

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered at an address of the inventory."""

    address: str
    port: int
    who: Reported


@dataclass(slots=True)
class Bundle:
    """News by what they are about: the newest wins."""

    readings: dict[int, PowerReading | PowerFault] = field(default_factory=dict)
    guids: dict[int, str] = field(default_factory=dict)
    identities: dict[int, Identity] = field(default_factory=dict)
    refusals: dict[int, Refusal] = field(default_factory=dict)
    server_ids: set[int] = field(default_factory=set)
    job_ids: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any(
            (
                self.readings,
                self.guids,
                self.identities,
                self.refusals,
                self.server_ids,
                self.job_ids,
            )
        )

    def with_newer(self, newer: Bundle) -> Bundle:
        return Bundle(
            self.readings | newer.readings,
            self.guids | newer.guids,
            self.identities | newer.identities,
            self.refusals | newer.refusals,
            self.server_ids | newer.server_ids,
            self.job_ids | newer.job_ids,
        )


def bundle_write(bundle: Bundle) -> None:
    """Write it in one transaction; the push follows the commit."""
    with transaction.atomic():
        bmcs = bundle.guids.keys() | bundle.identities.keys()
        bmcs |= {refusal.bmc_id for refusal in bundle.refusals.values()}
        if bmcs:
            rows_lock(Bmc.objects.filter(pk__in=bmcs))
        if bundle.readings:
            status_record(list(bundle.readings.values()), push=False)
        for bmc_id, guid in bundle.guids.items():
            Bmc.objects.filter(pk=bmc_id, guid="").update(guid=guid)
        for bmc_id, seen in bundle.identities.items():
            identity_learn(
                bmc_id=bmc_id, address=seen.address, port=seen.port, who=seen.who, is_refresh=True
            )
        for refusal in bundle.refusals.values():
            Bmc.objects.filter(pk=refusal.bmc_id).update(
                refused_key=refusal.key, refused_count=refusal.count
            )
        servers_changed(bundle.server_ids | bundle.readings.keys())
        for job_id in bundle.job_ids:
            events.publish(job_group(job_id), "job", id=job_id)


class News:
    """Collects on the loop; `flush` is called by the runner's clock."""

    def __init__(self, db: DbThreads, refusals_saved: Callable[[Refusal], None]) -> None:
        self._db = db
        self._refusals_saved = refusals_saved
        self._bundle = Bundle()

    def read(self, news: PowerReading | PowerFault) -> None:
        self._bundle.readings[news.server_id] = news

    def guid(self, bmc_id: int, guid: str) -> None:
        self._bundle.guids[bmc_id] = guid

    def identity(self, bmc_id: int, seen: Identity) -> None:
        self._bundle.identities[bmc_id] = seen

    def refusal(self, refusal: Refusal) -> None:
        self._bundle.refusals[refusal.bmc_id] = refusal

    def changed(self, outcome: Outcome) -> None:
        self._bundle.server_ids |= outcome.server_ids
        self._bundle.job_ids |= outcome.job_ids

    async def flush(self) -> None:
        """Write what there is; keep it while the database is away."""
        bundle, self._bundle = self._bundle, Bundle()
        if not bundle:
            return
        try:
            await self._db.run(bundle_write, bundle)
        except DATABASE_AWAY as error:
            log.warning("news_wait", error=type(error).__name__)
            self._bundle = bundle.with_newer(self._bundle)
            return
        for refusal in bundle.refusals.values():
            self._refusals_saved(refusal)
