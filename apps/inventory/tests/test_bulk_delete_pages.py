"""The page that removes many servers: what follows, what is left out, what stops all of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.testing import make_cluster, make_server
from apps.inventory.models import Bmc, Server, Tag
from apps.inventory.tests.test_bulk_pages import expected_in, pick, url
from apps.jobs.models import Job, JobTarget

pytestmark = pytest.mark.django_db


@pytest.fixture
def servers(web: Any) -> list[Server]:
    return [make_server(name=f"web-{n:02}", cluster=web) for n in range(3)]


def test_removing_tells_what_follows_and_leaves_protected_ones_out(
    client: Client, operator: Any, web: Any, servers: list[Server]
) -> None:
    status = servers[0].status
    status.power, status.fault, status.power_read_at = "on", "", timezone.now()
    status.save()
    make_server(name="guarded", cluster=web, is_protected=True, protected_reason="phones")
    job = Job.objects.create(kind="power", actor_name="m.chen")
    JobTarget.objects.create(
        job=job, server=servers[1], server_name="web-01", bmc=servers[1].bmc,
        not_after=timezone.now(),
    )  # fmt: skip
    Tag.objects.create(name="prod").servers.set(servers)
    client.force_login(operator)
    path = url("delete", pick(operator, [], is_all=True))
    text = client.get(path).content.decode()
    for words in (
        "Remove 3 servers?", "1 of them was on when it was last read.", "2 are unknown.",
        "An order is at work on 1 server that goes.", "guarded", "Protected: phones",
    ):  # fmt: skip
        assert words in text, words
    assert "No server stays in web" not in text
    done = client.post(path, {"expected": expected_in(text), "reason": "scrapped"})
    assert (done.status_code, done["Location"]) == (303, "/servers/")
    assert [server.name for server in Server.objects.all()] == ["guarded"]
    assert Bmc.objects.count() == 1
    assert not Tag.objects.exists()
    entries = AuditEntry.objects.filter(action="inventory.server.delete", reason="scrapped")
    assert entries.count() == 3
    assert "3 servers removed." in client.get("/servers/").content.decode()


def test_the_last_servers_of_a_cluster_are_told(
    client: Client, operator: Any, servers: list[Server]
) -> None:
    client.force_login(operator)
    text = client.get(url("delete", pick(operator, servers))).content.decode()
    assert "No server stays in web." in text


def test_from_eleven_on_their_number_is_typed(client: Client, operator: Any, web: Any) -> None:
    many = [make_server(name=f"many-{n:02}", cluster=web) for n in range(11)]
    client.force_login(operator)
    path = url("delete", pick(operator, many))
    text = client.get(path).content.decode()
    assert "Type 11 to confirm." in text
    expected = expected_in(text)
    for wrong in ("", "10", "12", "eleven", "1e1", "\x00"):
        response = client.post(path, {"expected": expected, "typed_count": wrong})
        assert response.status_code == 422
        assert 'id="id_typed_count_error"' in response.content.decode()
    assert Server.objects.count() == 11
    assert client.post(path, {"expected": expected, "typed_count": "11"}).status_code == 303
    assert not Server.objects.exists()


def test_one_that_changed_since_the_question_stops_all(
    client: Client, operator: Any, servers: list[Server]
) -> None:
    client.force_login(operator)
    path = url("delete", pick(operator, servers))
    expected = expected_in(client.get(path).content.decode())
    Server.objects.filter(pk=servers[0].pk).update(
        version=2, is_protected=True, protected_reason="phones"
    )
    late = client.post(path, {"expected": expected})
    assert late.status_code == 409
    text = late.content.decode()
    assert "Nothing was removed" in text
    assert "Protected: phones" in text
    assert Server.objects.count() == 3
    assert client.post(path, {"expected": expected_in(text)}).status_code == 303
    assert Server.objects.count() == 1


def test_servers_of_one_chassis_keep_their_bmc_until_the_last_goes(
    client: Client, operator: Any, web: Any, servers: list[Server]
) -> None:
    shared = make_server(name="blade-1", cluster=web)
    stays = make_server(name="blade-2", cluster=web, bmc=shared.bmc)
    client.force_login(operator)
    path = url("delete", pick(operator, [shared, servers[0]]))
    client.post(path, {"expected": expected_in(client.get(path).content.decode())})
    assert Bmc.objects.filter(pk=stays.bmc_id).exists()
    assert not Bmc.objects.filter(pk=servers[0].bmc_id).exists()


def test_servers_that_are_only_seen_are_left_out_of_a_removal(
    client: Client, operator: Any, servers: list[Server]
) -> None:
    seen = make_server(name="only-seen", cluster=make_cluster("db"))
    RoleGrant.objects.create(user=operator, role=Role.READONLY, cluster=seen.cluster)
    client.force_login(operator)
    path = url("delete", pick(operator, [], is_all=True))
    text = client.get(path).content.decode()
    assert "Remove 3 servers?" in text
    assert "You are not operator of its cluster." in text
    both = json.dumps({str(servers[0].pk): 1, str(seen.pk): 1})
    assert client.post(path, {"expected": both}).status_code == 409
    assert Server.objects.count() == 4
    stale = json.dumps({str(servers[0].pk): 7})
    assert client.post(path, {"expected": stale}).status_code == 409
    gone = json.dumps({str(servers[0].pk): 1, "999999": 1})
    response = client.post(path, {"expected": gone})
    assert response.status_code == 409
    assert "1 server was removed meanwhile" in response.content.decode()
    assert Server.objects.count() == 4


def test_nothing_in_the_list_removes_nothing(
    client: Client, operator: Any, servers: list[Server]
) -> None:
    client.force_login(operator)
    response = client.post(url("delete", pick(operator, servers)), {"expected": ""})
    assert response.status_code == 422
    assert "Nothing is to be removed." in response.content.decode()
    assert Server.objects.count() == 3
