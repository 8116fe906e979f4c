from __future__ import annotations

import datetime as dt

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.clusters.models import Cluster
from apps.core.testing import api_client, make_server
from apps.inventory.choices import Power
from apps.inventory.models import Server
from apps.inventory.services import PowerFault, PowerReading, status_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(web: Cluster, operator: User) -> Server:
    server = make_server(cluster=web)
    status_record([PowerReading(server.pk, Power.ON)])
    status_record([PowerFault(server.pk, "unreachable")])
    api_client(operator).patch(f"/api/servers/{server.pk}", {"notes": "fan swap"})
    api_client(operator).post(f"/api/servers/{server.pk}/power/on", {"reason": "after it"})
    status_record([PowerReading(server.pk, Power.OFF)])
    return server


def test_orders_changes_and_states_stand_in_one_line_newest_first(
    admin: User, server: Server
) -> None:
    page = api_client(admin).get(f"/api/servers/{server.pk}/history").json()
    kinds = [
        (row["audit"]["action"] if row["kind"] == "audit" else row["state"]["after"])
        for row in page["results"]
    ]
    assert sorted(kinds) == sorted(["off", "power.order", "inventory.server.update", "unknown"])
    moments = [dt.datetime.fromisoformat(row["at"]) for row in page["results"]]
    assert moments == sorted(moments, reverse=True)
    told = {row["audit"]["action"]: row["audit"] for row in page["results"] if row["audit"]}
    assert told["power.order"]["reason"] == "after it"
    assert isinstance(told["power.order"]["job"], int)
    change = told["inventory.server.update"]
    assert (change["changed"], change["before"], change["after"]) == (
        ["notes"], {"notes": ""}, {"notes": "fan swap"},
    )  # fmt: skip
    fault = next(row["state"] for row in page["results"] if (row["state"] or {}).get("fault"))
    assert (fault["before"], fault["fault"]["code"]) == ("on", "unreachable")


def test_values_of_the_audit_are_for_admins(readonly: User, server: Server) -> None:
    page = api_client(readonly).get(f"/api/servers/{server.pk}/history").json()
    audits = [row["audit"] for row in page["results"] if row["audit"]]
    assert ["notes"] in [one["changed"] for one in audits]
    assert all(one["before"] is None and one["after"] is None for one in audits)


def test_a_long_history_has_pages_and_asks_a_few_times(
    admin: User, server: Server, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(60):
        entry_record(actor=admin, action="inventory.server.update", obj=server)
    client = api_client(admin)
    with django_assert_max_num_queries(8):
        page = client.get(f"/api/servers/{server.pk}/history?page_size=50").json()
    assert (page["count"], len(page["results"])) == (64, 50)
    assert len(client.get(page["next"]).json()["results"]) == 14
    assert client.get(f"/api/servers/{server.pk}/history?ordering=at").status_code == 422


def test_a_foreign_history_is_a_missing_one(outsider: User, server: Server) -> None:
    answer = api_client(outsider).get(f"/api/servers/{server.pk}/history")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
