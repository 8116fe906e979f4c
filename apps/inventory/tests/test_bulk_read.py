"""Read now, for many servers: BMCs are due, nothing is sent, refusals are forgiven with a trace."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.testing import make_cluster, make_server
from apps.inventory.models import Bmc, Server
from apps.inventory.services.reading import servers_read_now
from apps.inventory.services.selections import selection_change
from apps.jobs.models import Job

pytestmark = pytest.mark.django_db
URL = "/servers/bulk/read"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def fleet(web: Any) -> list[Server]:
    """Three servers of "web", of which one refused the password, and one of another cluster."""
    servers = [make_server(name=f"web-{i}", cluster=web) for i in (1, 2, 3)]
    servers.append(make_server(name="away", cluster=make_cluster("elsewhere")))
    Bmc.objects.update(poll_due_at=timezone.now() + dt.timedelta(hours=1))
    Bmc.objects.filter(pk=servers[0].bmc_id).update(refused_key="k.1", refused_count=2)
    Bmc.objects.filter(pk=servers[3].bmc_id).update(refused_key="k.1", refused_count=2)
    return servers


def due() -> list[str]:
    rows = Bmc.objects.filter(poll_due_at__lte=timezone.now())
    return sorted(rows.values_list("servers__name", flat=True))


def selection(person: Any, servers: list[Server]) -> str:
    ids = [server.pk for server in servers]
    return str(selection_change(actor=person, selection=None, tick=ids).pk)


def test_a_reader_makes_the_visible_ones_due_and_forgives_nothing(
    client: Client, readonly: Any, fleet: list[Server]
) -> None:
    client.force_login(readonly)
    response = client.post(f"{URL}?selection={selection(readonly, fleet)}", headers=HTMX)
    assert response.status_code == 202
    text = response.content.decode()
    assert "3 servers are read now." in text
    assert 'hx-swap-oob="beforeend"' in text
    assert due() == ["web-1", "web-2", "web-3"]
    assert Bmc.objects.filter(refused_count=2).count() == 2
    assert not AuditEntry.objects.exists()
    assert not Job.objects.exists()


def test_an_operator_forgives_refusals_with_an_entry_each(
    client: Client, operator: Any, fleet: list[Server]
) -> None:
    client.force_login(operator)
    response = client.post(f"{URL}?selection={selection(operator, fleet[:2])}", headers=HTMX)
    assert "The refused password of 1 BMC is tried once more." in response.content.decode()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_name) == ("inventory.bmc.try_again", "web-1")
    assert entry.actor == operator
    assert list(Bmc.objects.filter(refused_count=2)) == [fleet[3].bmc]
    assert due() == ["web-1", "web-2"]


def test_only_where_the_person_is_operator(readonly: Any, fleet: list[Server]) -> None:
    RoleGrant.objects.create(user=readonly, role=Role.OPERATOR, cluster=fleet[3].cluster)
    asked = servers_read_now(actor=readonly, servers=Server.objects.visible_to(readonly))
    assert (asked.count, asked.forgiven) == (4, 1)
    assert [entry.object_name for entry in AuditEntry.objects.all()] == ["away"]


def test_servers_behind_one_bmc_are_forgiven_once(operator: Any, web: Any) -> None:
    first = make_server(name="blade-1", cluster=web)
    make_server(name="blade-2", cluster=web, bmc=first.bmc)
    Bmc.objects.update(refused_key="k.1", refused_count=2)
    asked = servers_read_now(actor=operator, servers=Server.objects.all())
    assert (asked.count, asked.forgiven) == (2, 1)
    assert AuditEntry.objects.count() == 2


def test_nobody_else_reads_them(
    client: Client, operator: Any, outsider: Any, fleet: list[Server]
) -> None:
    key = selection(operator, fleet)
    assert client.post(f"{URL}?selection={key}").status_code == 302
    client.force_login(outsider)
    for bad in (key, str(uuid.uuid4()), "x", "", "\0"):
        assert client.post(URL, {"selection": bad}).status_code == 404
    client.force_login(operator)
    assert client.get(f"{URL}?selection={key}").status_code == 405
    assert due() == []


def test_without_scripts_it_leads_back_to_the_list(
    client: Client, operator: Any, fleet: list[Server]
) -> None:
    client.force_login(operator)
    key = selection(operator, fleet[1:2])
    response = client.post(f"{URL}?selection={key}", {"query": "power=unknown"})
    assert response.status_code == 303
    assert response["Location"] == f"/servers/?power=unknown&selection={key}"
    assert "1 server is read now." in client.get(response["Location"]).content.decode()
