"""`/metrics` for Prometheus: what the record and the workers know. It touches no BMC.

For people and tokens with a role everywhere: totals go beyond any cluster. Counters of workers come
with their heartbeats, so any number of web processes tell the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Min, Q
from django.http import HttpResponse
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from apps.accounts.authentication import TokenAuthentication
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.dbtime import now_plus
from apps.inventory.choices import Power
from apps.inventory.models import Bmc, ServerStatus
from apps.jobs.choices import OPEN
from apps.jobs.models import JobTarget
from apps.jobs.selectors import workers_live

LATE_POLL_SECONDS = 5.0


@api_view(["GET"])
@authentication_classes([TokenAuthentication, SessionAuthentication])
@permission_classes([IsAuthenticated])
def metrics(request: Request) -> HttpResponse:
    """Answer in the text format of Prometheus."""
    if not has_everywhere(request.user, Role.READONLY):
        raise PermissionDenied
    registry = CollectorRegistry()
    registry.register(_Portal())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Portal:
    """Asked once for each scrape: a handful of aggregates."""

    def collect(self) -> Iterator[Metric]:
        yield from _servers()
        yield from _polling()
        yield from _targets()
        yield from _workers()
        yield from _audit()


def _servers() -> Iterator[Metric]:
    power = GaugeMetricFamily("bmcportal_servers", "Servers by what is known.", labels=["power"])
    rows = ServerStatus.objects.values_list("power").annotate(n=Count("pk")).order_by("power")
    counts = dict.fromkeys(Power.values, 0) | dict(rows)
    for state, count in counts.items():
        power.add_metric([state], count)
    yield power
    faults = GaugeMetricFamily("bmcportal_server_faults", "Why unknown.", labels=["code"])
    failed = ServerStatus.objects.exclude(fault="").values_list("fault")
    for code, count in failed.annotate(n=Count("pk")).order_by("fault"):
        faults.add_metric([code], count)
    yield faults


def _polling() -> Iterator[Metric]:
    late_after = 2 * settings.POLL_SECONDS
    known = ~Q(power=Power.UNKNOWN)
    found = ServerStatus.objects.aggregate(
        oldest=Min("power_read_at", filter=known),
        late=Count("pk", filter=known & Q(power_read_at__lt=now_plus(-late_after))),
        watched=Count("pk", filter=Q(watched_until__gt=now_plus(0))),
    )
    age = (timezone.now() - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    yield GaugeMetricFamily(
        "bmcportal_power_reading_oldest_seconds", "Age of the oldest state shown.", max(0.0, age)
    )
    yield GaugeMetricFamily(
        "bmcportal_power_readings_late", "States older than two intervals.", found["late"]
    )
    yield GaugeMetricFamily(
        "bmcportal_servers_watched", "Servers somebody looks at.", found["watched"]
    )
    waiting = Bmc.objects.filter(poll_due_at__lt=now_plus(-LATE_POLL_SECONDS)).count()
    yield GaugeMetricFamily(
        "bmcportal_polls_waiting", "BMCs due for more than 5 s and not begun.", waiting
    )


def _targets() -> Iterator[Metric]:
    targets = GaugeMetricFamily(
        "bmcportal_job_targets_open", "Targets of jobs at work.", labels=["state"]
    )
    rows = JobTarget.objects.filter(ended_at__isnull=True).values_list("state")
    counts = dict.fromkeys(sorted(OPEN), 0) | dict(rows.annotate(n=Count("pk")).order_by("state"))
    for state, count in counts.items():
        targets.add_metric([state], count)
    yield targets


def _workers() -> Iterator[Metric]:
    alive = GaugeMetricFamily("bmcportal_bmc_workers", "Live bmc workers.", labels=["site"])
    sites: dict[str, int] = defaultdict(int)
    counters: dict[str, CounterMetricFamily] = {}
    for worker in workers_live().select_related("site"):
        sites[worker.site.name if worker.site else ""] += 1
        for name, value in sorted(worker.counters.items()):
            family = counters.get(name)
            if family is None:
                family = counters[name] = CounterMetricFamily(
                    f"bmcportal_{name}", "Since the worker started.", labels=["worker"]
                )
            family.add_metric([worker.name], value)
    for site, count in sites.items():
        alive.add_metric([site], count)
    yield alive
    yield from counters.values()


def _audit() -> Iterator[Metric]:
    found = AuditEntry.objects.unsealed().aggregate(count=Count("pk"), oldest=Min("at"))
    age = (timezone.now() - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    yield GaugeMetricFamily(
        "bmcportal_audit_unsealed", "Audit rows that wait for their number.", found["count"]
    )
    yield GaugeMetricFamily(
        "bmcportal_audit_unsealed_oldest_seconds",
        "Age of the oldest of them; above 60 the sealer does not run.",
        max(0.0, age),
    )
