from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.clusters.models import Cluster
from apps.core.testing import api_client, make_cluster, make_profile, make_server, make_site
from apps.inventory.models import Bmc, Server

pytestmark = pytest.mark.django_db
BULK = "/api/servers/bulk"


def new(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"web-{number:03d}",
        "place": {"site": make_site("fra").pk},
        "bmc": {"address": f"10.0.{number >> 8}.{number & 255}"},
    } | changes


def test_many_servers_are_stored_in_one_request(
    operator: User, web: Cluster, django_capture_on_commit_callbacks: Any
) -> None:
    items = [new(number, cluster=web.pk, tags=["new"]) for number in range(1, 41)]
    with django_capture_on_commit_callbacks() as callbacks:
        answer = api_client(operator).post(BULK, items, headers={"Idempotency-Key": "k1"})
    told = answer.json()
    assert (answer.status_code, told["count"]) == (201, 40)
    assert [row["name"] for row in told["results"]] == [item["name"] for item in items]
    assert Server.objects.filter(cluster=web, tags__name="new").count() == 40
    assert AuditEntry.objects.filter(action="inventory.server.create").count() == 40
    assert len(callbacks) <= 3  # one push for the cluster, not forty
    again = api_client(operator).post(BULK, items, headers={"Idempotency-Key": "k1"})
    assert (again["Idempotency-Replayed"], again.json()) == ("true", told)


def test_all_or_nothing_and_every_problem_of_every_item(admin: User) -> None:
    make_server(name="taken", address="10.9.9.9")
    items: list[Any] = [
        new(1),
        new(2, name="taken"),
        new(3, bmc={"address": "10.9.9.9"}),
        new(4, name="web-001"),
    ]
    answer = api_client(admin).post(BULK, items)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert set(answer.json()["errors"]) == {"1.name", "2.bmc.address", "3.name"}
    answer = api_client(admin).post(BULK, [*items, 7, {"name": "", "x": 1}, None])
    assert {"4", "5.name", "5.x", "5.place", "5.bmc"} <= set(answer.json()["errors"])
    assert any(path.startswith("6") for path in answer.json()["errors"])
    assert Server.objects.count() == Bmc.objects.count() == 1
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("body", [{}, [], "x", 7, None, {"name": "x"}])
def test_another_shape_than_a_list_is_refused(admin: User, body: Any) -> None:
    client = api_client(admin)
    for call in (client.post, client.patch):
        answer = call(BULK, body)
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["body"])


@pytest.mark.parametrize("method", ["post", "patch"])
def test_a_hundred_thousand_ids_are_refused_without_a_look_at_them(
    admin: User, method: str
) -> None:
    client = api_client(admin)
    call = getattr(client, method)
    started = time.monotonic()
    for items in ([{"id": 1}] * 100_000, list(range(100_000)), [{"id": 1}] * 501):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            answer = call(BULK, items)
        assert answer.status_code in (413, 422)
        assert not [one for one in asked.captured_queries if "inventory_server" in one["sql"]]
    assert time.monotonic() - started < 10
    assert call(BULK, [{"id": 1, "notes": "x" * 300}] * 5000).status_code == 413


def test_many_servers_change_in_one_request(operator: User, web: Cluster) -> None:
    servers = [make_server(cluster=web, profile=make_profile()) for _ in range(30)]
    items = [{"id": one.pk, "model": "R640", "tags": ["gpu"], "version": 1} for one in servers]
    answer = api_client(operator).patch(BULK, items)
    assert (answer.status_code, answer.json()["count"]) == (200, 30)
    assert {row["version"] for row in answer.json()["results"]} == {2}
    assert Server.objects.filter(model="R640", tags__name="gpu").count() == 30
    assert Bmc.objects.filter(profile__isnull=False).count() == 30


def test_a_change_of_many_is_all_or_nothing(operator: User, outsider: User, web: Cluster) -> None:
    first, second = make_server(cluster=web), make_server(cluster=web)
    foreign = make_server(cluster=make_cluster("elsewhere"))
    answer = api_client(operator).patch(
        BULK,
        [
            {"id": first.pk, "model": "R640"},
            {"id": second.pk, "name": ""},
            {"id": foreign.pk, "model": "R640"},
            {"id": 999_999, "model": "R640"},
            {"id": first.pk, "model": "R650"},
            {"id": "x"},
            {"model": "R640"},
            {"id": 2**64},
            7,
        ],
    )
    errors = answer.json()["errors"]
    assert answer.status_code == 422
    assert set(errors) == {"1.name", "2.id", "3.id", "4.id", "5.id", "6.id", "7.id", "8.id"}
    assert errors["2.id"] == errors["3.id"] == errors["7.id"] == ["Nothing has this id."]
    assert errors["4.id"] == ["Each server once."]
    assert not Server.objects.filter(model="R640").exists()


def test_stale_items_are_412_and_items_without_the_role_403(
    operator: User, admin: User, web: Cluster
) -> None:
    first, second = make_server(cluster=web), make_server(cluster=web)
    Server.objects.filter(pk=second.pk).update(version=4)
    items = [{"id": one.pk, "model": "R640", "version": 1} for one in (first, second)]
    answer = api_client(operator).patch(BULK, items)
    assert (answer.status_code, answer.json()["code"]) == (412, "stale")
    assert answer.json()["errors"] == {
        "1.version": ["It was saved by somebody else meanwhile; it has version 4 now."]
    }
    loose = make_server()
    operator.grants.create(role="readonly", cluster=None)
    answer = api_client(operator).patch(BULK, [{"id": loose.pk, "model": "R640"}])
    assert (answer.status_code, list(answer.json()["errors"])) == (403, ["0.id"])
    assert not Server.objects.filter(model="R640").exists()
