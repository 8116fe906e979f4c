"""The `Worker` row of this process: who is alive, and for which site."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from django.db.models.functions import Now

from apps.clusters.models import Site
from apps.jobs.models import Worker

log = structlog.get_logger(__name__)


def worker_alive(
    name: str, site_name: str, host: str, pid: int, counters: Mapping[str, int] | None = None
) -> None:
    """Beat; sign in where there is no row (at the start, or after we were taken for gone)."""
    told = dict(counters or {})
    mine = Worker.objects.filter(name=name, pid=pid, host=host)
    if mine.update(heartbeat_at=Now(), counters=told):
        return
    site = Site.objects.filter(name=site_name).first() if site_name else None
    if site_name and site is None:
        log.error("site_unknown", worker=name, site=site_name)
        return
    Worker.objects.update_or_create(
        name=name,
        defaults={
            "site": site,
            "host": host,
            "pid": pid,
            "started_at": Now(),
            "heartbeat_at": Now(),
            "stopping_at": None,
            "counters": told,
        },
    )


def worker_stopping(name: str) -> None:
    """Give our BMCs to the others."""
    Worker.objects.filter(name=name).update(stopping_at=Now())


def worker_gone(name: str) -> None:
    Worker.objects.filter(name=name).delete()
