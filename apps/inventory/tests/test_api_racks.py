from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.clusters.models import Cluster
from apps.core.testing import api_client, make_cluster, make_rack, make_server, make_site
from apps.inventory.models import Bmc, Rack, Server, ServerStatus

pytestmark = pytest.mark.django_db


def test_an_admin_writes_down_a_rack(admin: User) -> None:
    client = api_client(admin)
    site = make_site("fra")
    made = client.post(
        "/api/racks/", {"site": site.pk, "name": "A01", "units": 47, "feeds": ["A", "B"]}
    )
    assert (made.status_code, made["ETag"]) == (201, '"v1"')
    url = made["Location"]
    told = client.get(url).json()
    assert (told["site"], told["feeds"]) == ({"id": site.pk, "name": "fra"}, ["A", "B"])
    changed = client.patch(url, {"notes": "cold aisle\nleft", "version": 1})
    assert (changed.status_code, changed["ETag"]) == (200, '"v2"')
    assert client.put(url, changed.json())["ETag"] == '"v2"'
    assert client.delete(url).status_code == 204
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "inventory.rack.create",
        "inventory.rack.update",
        "inventory.rack.delete",
    ]


def test_a_stale_change_shows_the_difference(admin: User) -> None:
    rack = make_rack("A01")
    client = api_client(admin)
    url = f"/api/racks/{rack.pk}"
    client.patch(url, {"units": 47})
    answer = client.patch(url, {"units": 20}, headers={"If-Match": '"v1"'})
    assert answer.status_code == 412
    assert answer.json()["differences"] == {"units": {"yours": 20, "current": 47}}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "A01"}, "name"),
        ({"name": "\x7f"}, "name"),
        ({"units": 0}, "units"),
        ({"units": 61}, "units"),
        ({"units": 4.5}, "units"),
        ({"site": 99_999}, "site"),
        ({"feeds": ["A", "A"]}, "feeds"),
        ({"feeds": [""]}, "feeds.0"),
        ({"feeds": list("ABCDEFGHI")}, "feeds"),
        ({"notes": 7}, "notes"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    admin: User, changes: dict[str, Any], field: str
) -> None:
    rack = make_rack("A01")
    told = {"site": rack.site_id, "name": "A02"} | changes
    answer = api_client(admin).post("/api/racks/", told)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])
    assert Rack.objects.count() == 1


def test_servers_keep_a_rack_as_it_is(admin: User) -> None:
    rack = make_rack("A01")
    server = make_server(rack=rack, rack_unit=40, unit_count=2)
    client = api_client(admin)
    url = f"/api/racks/{rack.pk}"
    answer = client.patch(url, {"units": 40, "site": make_site("muc").pk})
    assert set(answer.json()["errors"]) == {"units", "site"}
    answer = client.delete(url)
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    Server.objects.filter(pk=server.pk).update(rack=None, rack_unit=None)
    assert client.delete(url).status_code == 204


def test_racks_are_filtered_and_ordered(admin: User) -> None:
    first, second = make_rack("A01", site=make_site("fra")), make_rack("B01", site=make_site("muc"))

    def found(query: str) -> list[int]:
        page = api_client(admin).get(f"/api/racks/?{query}").json()
        return [row["id"] for row in page["results"]]

    assert found("ordering=-name") == found("ordering=-site") == [second.pk, first.pk]
    assert found(f"site={second.site_id}") == found("q=b0") == [second.pk]


def test_a_bmc_is_told_with_the_servers_that_one_sees_and_no_others(
    operator: User, outsider: User, web: Cluster
) -> None:
    mine = make_server(cluster=web)
    Bmc.objects.update(vendor="Dell")
    other = Server.objects.create(name="x", bmc=mine.bmc, cluster=make_cluster("db"))
    ServerStatus.objects.create(server=other)
    client = api_client(operator)
    told = client.get(f"/api/bmcs/{mine.bmc_id}").json()
    assert told["servers"] == [{"id": mine.pk, "name": mine.name}]
    assert client.get("/api/bmcs/?vendor=dell&q=127").json()["count"] == 1
    assert api_client(outsider).get("/api/bmcs/").json()["count"] == 0
    assert api_client(outsider).get(f"/api/bmcs/{mine.bmc_id}").status_code == 404


@pytest.mark.parametrize("noun", ["bmcs", "racks"])
def test_lists_ask_as_often_for_many_as_for_one(
    operator: User,
    web: Cluster,
    noun: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(40):
        make_server(cluster=web, rack=make_rack())
    client = api_client(operator)
    with django_assert_max_num_queries(8):
        assert client.get(f"/api/{noun}/").json()["count"] == 40
