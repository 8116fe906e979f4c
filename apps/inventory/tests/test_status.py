from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.clusters.models import Cluster, Site
from apps.core import events
from apps.inventory.choices import Power, Transition
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.inventory.services import PowerFault, PowerReading, status_record, transition_set

pytestmark = pytest.mark.django_db


@pytest.fixture
def servers() -> list[Server]:
    site = Site.objects.create(name="A")
    cluster = Cluster.objects.create(name="web")
    made = []
    for n in range(3):
        bmc = Bmc.objects.create(site=site, address=f"10.0.0.{n + 1}")
        server = Server.objects.create(name=f"web-{n}", bmc=bmc, cluster=cluster if n else None)
        ServerStatus.objects.create(server=server)
        made.append(server)
    return made


def test_a_reading_replaces_state_age_and_fault(servers: list[Server]) -> None:
    pk = servers[0].pk
    before = timezone.now()
    status_record([PowerFault(pk, "unreachable")])
    status_record([PowerReading(pk, Power.ON)])
    status = ServerStatus.objects.get(pk=pk)
    assert (status.power, status.last_power, status.fault, status.fault_at) == (
        Power.ON,
        Power.ON,
        "",
        None,
    )
    assert status.power_read_at is not None
    assert (status.power_read_at - before).total_seconds() > -1


def test_a_fault_makes_it_unknown_and_keeps_what_was_read_and_since_when(
    servers: list[Server],
) -> None:
    pk = servers[0].pk
    status_record([PowerReading(pk, Power.OFF)])
    read_at = ServerStatus.objects.get(pk=pk).power_read_at
    status_record([PowerFault(pk, "unreachable", {"seconds": 5})])
    first = ServerStatus.objects.get(pk=pk)
    status_record([PowerFault(pk, "auth_failed")])
    second = ServerStatus.objects.get(pk=pk)
    assert (first.power, first.last_power, first.power_read_at) == (
        Power.UNKNOWN,
        Power.OFF,
        read_at,
    )
    assert first.fault_params == {"seconds": 5}
    assert second.fault == "auth_failed"
    assert second.fault_at == first.fault_at


def test_many_servers_cost_a_few_statements(
    servers: list[Server], django_assert_num_queries: Any
) -> None:
    news = [PowerReading(server.pk, Power.ON) for server in servers]
    with django_assert_num_queries(6):  # savepoint, locks, what changes, update, clusters, release
        status_record(news)
    assert ServerStatus.objects.filter(power=Power.ON).count() == 3


def test_a_push_carries_ids_to_each_cluster_after_commit(
    servers: list[Server], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr(events, "_send", lambda *args: sent.append(args))
    with django_capture_on_commit_callbacks(execute=True):
        transition_set([s.pk for s in servers], Transition.SHUTTING_DOWN)
        assert sent == []
    outside, inside = servers[0], servers[1:]
    assert sorted(sent) == sorted(
        [
            ("cluster.0", "servers", {"ids": [outside.pk]}),
            (f"cluster.{inside[0].cluster_id}", "servers", {"ids": [s.pk for s in inside]}),
        ]
    )
    status = ServerStatus.objects.get(pk=outside.pk)
    assert status.transition == Transition.SHUTTING_DOWN
    assert status.transition_at is not None


def test_changes_of_state_are_kept_and_repeated_readings_are_none(servers: list[Server]) -> None:
    server = Server.objects.get(pk=servers[0].pk)
    status_record([PowerReading(server.pk, Power.ON)])
    assert not server.state_changes.exists()  # the first reading of all changes nothing
    status_record([PowerReading(server.pk, Power.ON)])
    status_record([PowerFault(server.pk, "unreachable", {"stage": "login"})])
    status_record([PowerFault(server.pk, "unreachable", {"stage": "login"})])
    status_record([PowerReading(server.pk, Power.OFF)])
    told = server.state_changes.order_by("pk").values_list("before", "after", "fault")
    assert list(told) == [("on", "unknown", "unreachable"), ("unknown", "off", "")]
    assert server.state_changes.filter(fault_params={"stage": "login"}).count() == 1
