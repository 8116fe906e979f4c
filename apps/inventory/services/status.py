"""The one way into `ServerStatus`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce, Now

from apps.core import events
from apps.core.locks import rows_lock
from apps.inventory.choices import Power, Transition
from apps.inventory.models import Bmc, Server, ServerStatus, StateChange


@dataclass(frozen=True, slots=True)
class PowerReading:
    """The power state was read just now."""

    server_id: int
    power: Power


@dataclass(frozen=True, slots=True)
class PowerFault:
    """The power state could not be read just now. `code` and `params` as in `apps.bmc.errors`."""

    server_id: int
    code: str
    params: dict[str, str | int | float] = field(default_factory=dict)


def status_record(news: Sequence[PowerReading | PowerFault], *, push: bool = True) -> None:
    """Write what was just read of any number of servers, in a few statements, and push it.

    With `push=False` the caller calls `servers_changed` itself, later and for many.

    A reading replaces state, age and fault. A fault makes the state unknown, keeps what was read
    last, and keeps the time since when it is so.
    """
    by_power: dict[Power, list[int]] = defaultdict(list)
    by_fault: dict[tuple[str, tuple[tuple[str, Any], ...]], list[int]] = defaultdict(list)
    for item in news:
        if isinstance(item, PowerReading):
            by_power[item.power].append(item.server_id)
        else:
            by_fault[item.code, tuple(sorted(item.params.items()))].append(item.server_id)
    rows = ServerStatus.objects
    with transaction.atomic():
        rows_lock(rows.filter(pk__in=[item.server_id for item in news]))
        for power, ids in by_power.items():
            _changes_keep(ids, power)
            rows.filter(pk__in=ids).update(
                power=power,
                last_power=power,
                power_read_at=Now(),
                fault="",
                fault_params={},
                fault_at=None,
            )
        for (code, params), ids in by_fault.items():
            _changes_keep(ids, Power.UNKNOWN, code, dict(params))
            rows.filter(pk__in=ids).update(
                power=Power.UNKNOWN,
                fault=code,
                fault_params=dict(params),
                fault_at=Coalesce("fault_at", Now()),
            )
        if push:
            servers_changed(item.server_id for item in news)


def _changes_keep(
    ids: Sequence[int], power: Power, fault: str = "", params: dict[str, Any] | None = None
) -> None:
    """Keep what is about to change; the first reading of all is no change."""
    rows = ServerStatus.objects.filter(pk__in=ids).exclude(power=power, fault=fault)
    told = rows.exclude(fault="never_read", power_read_at=None)
    StateChange.objects.bulk_create(
        [
            StateChange(
                server_id=pk, before=before, after=power, fault=fault, fault_params=params or {}
            )
            for pk, before in told.values_list("pk", "power")
        ]
    )


def transition_set(server_ids: Iterable[int], transition: Transition, *, push: bool = True) -> None:
    """Say what an open job does to these servers; call it in the transaction of the job's move."""
    ids = list(server_ids)
    at = Now() if transition else None
    rows = ServerStatus.objects.filter(pk__in=ids)
    with transaction.atomic():
        rows_lock(rows)
        rows.update(transition=transition, transition_at=at)
    if push:
        servers_changed(ids)


def readings_forget(bmc: Bmc) -> None:
    """Another machine may answer from now on: what was read of this BMC's servers is not theirs."""
    ServerStatus.objects.filter(server__bmc=bmc).update(
        power=Power.UNKNOWN,
        last_power=Power.UNKNOWN,
        power_read_at=None,
        fault="never_read",
        fault_params={},
        fault_at=Now(),
    )


def servers_changed(server_ids: Iterable[int]) -> None:
    """Push the ids to whoever watches their clusters, one message a cluster, on commit."""
    by_cluster: dict[int | None, list[int]] = defaultdict(list)
    rows = Server.objects.filter(pk__in=set(server_ids)).values_list("pk", "cluster_id")
    for pk, cluster_id in rows:
        by_cluster[cluster_id].append(pk)
    for cluster, ids in by_cluster.items():
        events.publish(events.cluster_group(cluster), "servers", ids=ids)
