"""Machine doors: is the process alive, is the portal ready, and if not, which part and why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from apps.jobs.selectors import workers_live
from bmcportal.celery import app

_LOW_DISK_BYTES: Final = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    is_ok: bool
    reason: str


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer while the process lives; touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Check each part; 503 when one of them fails. Reasons name the part, never an address."""
    parts = [_checked(name, check) for name, check in _CHECKS.items()]
    is_ready = all(part.is_ok for part in parts)
    body = {"is_ready": is_ready, "parts": [asdict(part) for part in parts]}
    return JsonResponse(body, status=200 if is_ready else 503)


def _checked(name: str, check: Callable[[], str]) -> Part:
    try:
        return Part(name, True, check())
    except _NotReady as problem:
        return Part(name, False, str(problem))
    except DatabaseError:
        return Part(name, False, "the database does not answer")


class _NotReady(Exception):
    """A part is there but not ready; the text says why."""


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.vendor


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        raise _NotReady(f"{len(pending)} migrations wait: run manage.py migrate")
    return "all applied"


def _cache() -> str:
    try:
        cache.set("readyz", "1", 10)
        is_kept = cache.get("readyz") == "1"
    except (OSError, ConnectionError) as error:
        raise _NotReady("the cache does not answer") from error
    except Exception as error:  # noqa: BLE001  the client library's own errors; all mean the same here
        raise _NotReady("the cache does not answer") from error
    if not is_kept:
        raise _NotReady("the cache forgets")
    return "answers"


def _broker() -> str:
    if settings.IS_EMBEDDED:
        return "in this process"
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:  # noqa: BLE001  kombu's transports each raise their own
        raise _NotReady(
            "the broker does not answer; orders are kept and start about a second later"
        ) from error
    return "answers"


def _workers() -> str:
    count = workers_live().count()
    if not count:
        raise _NotReady("no bmc worker is alive: nothing is read and no order starts")
    return f"{count} alive"


def _disk() -> str:
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < _LOW_DISK_BYTES:
        raise _NotReady(f"{free // 1048576} MiB free, {_LOW_DISK_BYTES // 1048576} wanted")
    return f"{free // 1048576} MiB free"


_CHECKS: Final[dict[str, Callable[[], str]]] = {
    "database": _database,
    "migrations": _migrations,
    "cache": _cache,
    "broker": _broker,
    "bmc_workers": _workers,
    "disk": _disk,
}
