from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.accounts.services import api_token_create
from apps.audit.models import AuditEntry
from apps.clusters.models import Cluster
from apps.core.testing import (
    api_client,
    make_cluster,
    make_profile,
    make_rack,
    make_server,
    make_site,
)
from apps.inventory.models import Bmc, CustomField, Server, ServerStatus

pytestmark = pytest.mark.django_db


def body(**changes: Any) -> dict[str, Any]:
    site = make_site("fra")
    told = {"name": "web-17", "place": {"site": site.pk}, "bmc": {"address": "10.0.4.17"}}
    return told | changes


@pytest.fixture
def server(web: Cluster) -> Server:
    return make_server(name="web-01", cluster=web, profile=make_profile(name="lab"))


# ------------------------------------------------------------------ reading


def test_a_server_is_told_with_its_state_its_place_and_its_bmc(
    readonly: User, web: Cluster
) -> None:
    read_at = timezone.now() - dt.timedelta(seconds=12)
    rack = make_rack("A01")
    server = make_server(
        name="web-01",
        cluster=web,
        rack=rack,
        rack_unit=7,
        is_protected=True,
        protected_reason="hosts the DNS",
        custom_fields={"owner": "anna"},
        profile=make_profile(name="lab"),
        status={
            "power": "unknown",
            "last_power": "on",
            "power_read_at": read_at,
            "fault": "unreachable",
            "fault_at": read_at,
            "transition": "shutting_down",
        },
    )
    answer = api_client(readonly).get(f"/api/servers/{server.pk}")
    told = answer.json()
    assert (answer.status_code, answer["ETag"], told["version"]) == (200, '"v1"', 1)
    assert told["url"] == f"http://testserver/api/servers/{server.pk}"
    assert told["cluster"] == {"id": web.pk, "name": "web"}
    assert told["place"] == {
        "site": {"id": rack.site_id, "name": "fra"},
        "rack": {"id": rack.pk, "name": "A01"},
        "rack_unit": 7,
        "unit_count": 1,
    }
    assert told["protection"] == {"is_protected": True, "reason": "hosts the DNS"}
    power = told["power"]
    assert (power["state"], power["last_state"]) == ("unknown", "on")
    assert power["transition"] == "shutting_down"
    assert power["fault"]["code"] == "unreachable"
    assert power["fault"]["title"] == "BMC does not answer."
    assert all(power["fault"][part] for part in ("cause", "next_step", "since"))
    assert dt.datetime.fromisoformat(power["read_at"]) == read_at
    assert (told["bmc"]["port"], told["bmc"]["suite"]) == (623, "auto")
    assert told["bmc"]["profile"]["name"] == "lab"


@pytest.mark.parametrize("count", [3, 60])
def test_a_list_asks_as_often_for_sixty_as_for_three(
    operator: User,
    web: Cluster,
    count: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(count):
        server = make_server(
            cluster=web, rack=make_rack(), rack_unit=1, profile=make_profile(clusters=[web])
        )
        server.tags.create(name=f"tag-{number}")
    client = api_client(operator)
    token = api_token_create(user=operator, days=1)
    with django_assert_max_num_queries(8):
        page = client.get("/api/servers/?ordering=-power&q=server").json()
    assert page["count"] == len(page["results"]) == count
    client.logout()
    with django_assert_max_num_queries(8):
        client.get("/api/servers/", headers={"Authorization": f"Token {token}"})


def test_filters_are_those_of_the_page(operator: User, web: Cluster) -> None:
    rack = make_rack("A01")
    on = make_server(name="a", cluster=web, status={"power": "on", "fault": ""}, model="R640")
    make_server(name="b", cluster=web, rack=rack, status={"power": "unknown"})
    make_server(name="c", cluster=make_cluster("db"))
    on.tags.create(name="gpu")
    client = api_client(operator)

    def found(query: str) -> list[str]:
        page = client.get(f"/api/servers/?{query}")
        assert page.status_code == 200, page.content
        return [row["name"] for row in page.json()["results"]]

    assert found("") == ["a", "b"]
    assert found("ordering=-name") == ["b", "a"]
    assert found("power=on") == ["a"]
    assert found("power=on&power=unknown") == ["a", "b"]
    assert found(f"rack={rack.pk}") == ["b"]
    assert found("rack=null") == ["a"]
    assert found("tag=gpu") == ["a"]
    assert found("fault=none") == ["a"]
    assert found("protected=false&model=r6") == ["a"]
    assert found("q=nothing") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("power=sleeping", "power"),
        ("cluster=0", "cluster"),
        ("cluster=x", "cluster"),
        ("site=99999", "site"),
        ("protected=maybe", "protected"),
        ("tag=a&tag=b", "tag"),
        ("q=%00", "q"),
        ("powr=on", "powr"),
        ("ordering=cluster", "ordering"),
    ],
)
def test_a_wrong_filter_is_refused(operator: User, server: Server, query: str, field: str) -> None:
    answer = api_client(operator).get(f"/api/servers/?{query}")
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_the_id_of_a_foreign_cluster_in_a_filter_is_that_of_a_missing_one(
    outsider: User, server: Server, web: Cluster
) -> None:
    client = api_client(outsider)
    foreign, missing = (
        client.get(f"/api/servers/?cluster={pk}").json()["errors"]["cluster"][0]
        for pk in (web.pk, 99_999)
    )
    assert foreign.replace(str(web.pk), "N") == missing.replace("99999", "N")
    assert client.get("/api/servers/?q=web").json()["count"] == 0


# ------------------------------------------------------------------ adding


def test_an_operator_adds_a_server(operator: User, web: Cluster) -> None:
    profile, rack = make_profile(networks=["10.0.0.0/8"]), make_rack("A01")
    CustomField.objects.create(key="owner", label="Owner")
    answer = api_client(operator).post(
        "/api/servers/",
        {
            "name": "web-17",
            "cluster": web.pk,
            "tags": ["gpu", "prod", "gpu"],
            "notes": "one\ntwo",
            "custom_fields": {"owner": "anna"},
            "place": {"site": rack.site_id, "rack": rack.pk, "rack_unit": 3, "unit_count": 2},
            "protection": {"is_protected": True, "reason": "hosts the DNS"},
            "bmc": {"address": "10.0.4.17", "port": 6230, "suite": "17", "profile": profile.pk},
        },
    )
    told = answer.json()
    assert (answer.status_code, answer["ETag"]) == (201, '"v1"')
    assert answer["Location"] == told["url"]
    assert (told["tags"], told["custom_fields"]) == (["gpu", "prod"], {"owner": "anna"})
    assert told["power"]["fault"]["code"] == "never_read"
    server = Server.objects.get()
    assert (server.bmc.address, server.bmc.port, server.bmc.profile) == ("10.0.4.17", 6230, profile)
    assert (server.top_unit, server.notes) == (4, "one\ntwo")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("inventory.server.create", operator)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 7}, "name"),
        ({"name": "a\u200bb"}, "name"),
        ({"cluster": "web"}, "cluster"),
        ({"cluster": 1.5}, "cluster"),
        ({"cluster": True}, "cluster"),
        ({"cluster": 99_999}, "cluster"),
        ({"tags": "gpu"}, "tags"),
        ({"tags": ["x" * 33]}, "tags.0"),
        ({"tags": ["a,b"]}, "tags"),
        ({"tags": [f"t{number}" for number in range(21)]}, "tags"),
        ({"notes": "x" * 4001}, "notes"),
        ({"notes": "a\x1bb"}, "notes"),
        ({"custom_fields": {"nope": 1}}, "custom_fields"),
        ({"custom_fields": []}, "custom_fields"),
        ({"custom_fields": {"height": "high"}}, "custom_fields.height"),
        ({"place": None}, "place"),
        ({"place": {}}, "place.site"),
        ({"place": {"site": 99_999}}, "place.site"),
        ({"bmc": {}}, "bmc.address"),
        ({"bmc": {"address": "8.8.8.8"}}, "bmc.address"),
        ({"bmc": {"address": "169.254.169.254"}}, "bmc.address"),
        ({"bmc": {"address": "10.0.4.17", "port": 0}}, "bmc.port"),
        ({"bmc": {"address": "10.0.4.17", "port": "623"}}, "bmc.port"),
        ({"bmc": {"address": "10.0.4.17", "suite": "0"}}, "bmc.suite"),
        ({"bmc": {"address": "10.0.4.17", "protocol": "redfish"}}, "bmc.protocol"),
        ({"bmc": {"address": "10.0.4.17", "profile": 99_999}}, "bmc.profile"),
        ({"bmc": {"address": "10.0.4.17", "workarounds": ["<b>"]}}, "bmc.workarounds.0"),
        ({"bmc": {"address": "10.0.4.17", "adress": "x"}}, "bmc.adress"),
        ({"protection": {"is_protected": True}}, "protection.reason"),
        ({"protection": {"is_protected": "yes"}}, "protection.is_protected"),
        ({"version": "1"}, "version"),
        ({"powr": "on"}, "powr"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    admin: User, changes: dict[str, Any], field: str
) -> None:
    CustomField.objects.create(key="height", label="Height", kind="number")
    answer = api_client(admin).post("/api/servers/", body(**changes))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert field in answer.json()["errors"], answer.json()
    assert all(answer.json()["errors"].values())
    assert not Server.objects.exists()


def test_every_problem_is_told_at_once(admin: User) -> None:
    wrong = body(name="", nope=1, place={"site": 9}, bmc={"address": "x y", "port": 0})
    errors = api_client(admin).post("/api/servers/", wrong).json()["errors"]
    assert set(errors) == {"name", "nope", "place.site", "bmc.address", "bmc.port"}


def test_ids_out_of_reach_in_a_body_are_missing_ones(
    operator: User, outsider: User, web: Cluster
) -> None:
    profile = make_profile(clusters=[web])
    errors = (
        api_client(outsider)
        .post(
            "/api/servers/",
            body(cluster=web.pk, bmc={"address": "10.0.4.17", "profile": profile.pk}),
        )
        .json()["errors"]
    )
    assert errors == {
        "cluster": ["Nothing has this id."],
        "bmc.profile": ["Nothing has this id."],
    }


def test_who_is_operator_elsewhere_only_adds_nothing_here(operator: User, web: Cluster) -> None:
    client = api_client(operator)
    for cluster in (None, make_cluster("db").pk):
        answer = client.post("/api/servers/", body(cluster=cluster))
        assert answer.status_code in (403, 422)
    assert not Server.objects.exists()


# ------------------------------------------------------------------ changing


def test_patch_changes_what_it_names_and_nothing_else(operator: User, server: Server) -> None:
    CustomField.objects.create(key="owner", label="Owner")
    CustomField.objects.create(key="room", label="Room")
    Server.objects.update(custom_fields={"owner": "anna", "room": "1"})
    server.tags.create(name="gpu")
    client = api_client(operator)
    answer = client.patch(
        f"/api/servers/{server.pk}",
        {"model": "R640", "bmc": {"suite": "3"}, "custom_fields": {"room": None}},
        headers={"If-Match": '"v1"'},
    )
    told = answer.json()
    assert (answer.status_code, answer["ETag"]) == (200, '"v2"')
    assert (told["name"], told["model"], told["tags"]) == ("web-01", "R640", ["gpu"])
    assert (told["bmc"]["suite"], told["bmc"]["profile"]["name"]) == ("3", "lab")
    assert told["custom_fields"] == {"owner": "anna"}
    entry = AuditEntry.objects.get()
    assert set(entry.after or {}) == {"model", "suite", "custom_fields"}


def test_what_was_read_can_be_put_back_and_changes_nothing(operator: User, server: Server) -> None:
    server.tags.create(name="b")
    server.tags.create(name="a")
    client = api_client(operator)
    url = f"/api/servers/{server.pk}"
    answer = client.put(url, client.get(url).json())
    assert (answer.status_code, answer["ETag"]) == (200, '"v1"')
    assert not AuditEntry.objects.exists()


def test_put_takes_defaults_for_what_is_left_out(operator: User, server: Server) -> None:
    Server.objects.update(model="R640", notes="x")
    answer = api_client(operator).put(
        f"/api/servers/{server.pk}",
        {
            "name": "web-02",
            "cluster": server.cluster_id,
            "place": {"site": server.bmc.site_id},
            "bmc": {"address": server.bmc.address},
        },
    )
    told = answer.json()
    assert (answer.status_code, told["name"], told["model"], told["notes"]) == (
        200, "web-02", "", "",
    )  # fmt: skip
    assert told["bmc"]["profile"] is None


def test_a_stale_change_is_412_with_the_fields_in_which_it_differs(
    operator: User, server: Server
) -> None:
    client = api_client(operator)
    url = f"/api/servers/{server.pk}"
    mine = client.get(url).json()
    client.patch(url, {"notes": "by somebody else", "bmc": {"port": 6230}})

    mine["name"] = "web-99"
    for answer in (
        client.put(url, mine),
        client.put(url, mine | {"version": 2}, headers={"If-Match": '"v1"'}),
    ):
        told = answer.json()
        assert (answer.status_code, told["code"], told["current_version"]) == (412, "stale", 2)
        assert told["differences"] == {
            "name": {"yours": "web-99", "current": "web-01"},
            "notes": {"yours": "", "current": "by somebody else"},
            "bmc.port": {"yours": 623, "current": 6230},
        }
    answer = client.patch(url, {"name": "web-99", "version": 1})
    assert answer.json()["differences"] == {"name": {"yours": "web-99", "current": "web-01"}}
    assert client.delete(url, headers={"If-Match": '"v1"'}).status_code == 412
    assert client.patch(url, {"name": "web-99", "version": 2}).json()["version"] == 3


def test_another_address_needs_a_profile_for_it(operator: User, server: Server) -> None:
    """S4: the profile of the test is for 127.0.0.0/8."""
    client = api_client(operator)
    url = f"/api/servers/{server.pk}"
    answer = client.patch(url, {"bmc": {"address": "10.0.4.18"}})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["bmc.profile"])
    answer = client.patch(url, {"bmc": {"address": "10.0.4.18", "profile": None}})
    assert answer.status_code == 200
    assert Bmc.objects.get().profile is None


def test_a_bound_profile_stays_though_it_is_not_opened_to_the_person(
    operator: User, server: Server
) -> None:
    make_profile(name="closed", is_open_everywhere=False)
    closed = make_profile(name="bound", is_open_everywhere=False)
    Bmc.objects.update(profile=closed)
    client = api_client(operator)
    url = f"/api/servers/{server.pk}"
    assert client.put(url, client.get(url).json() | {"name": "web-2"}).status_code == 200
    other = make_profile(name="other", is_open_everywhere=False)
    answer = client.patch(url, {"bmc": {"profile": other.pk}})
    assert answer.json()["errors"] == {"bmc.profile": ["Nothing has this id."]}


def test_a_host_name_is_asked_for_once_and_never_inside_the_transaction(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection

    asked: list[bool] = []
    outer = len(connection.savepoint_ids)

    def getaddrinfo(name: str, *_: Any, **__: Any) -> Any:
        asked.append(len(connection.savepoint_ids) > outer)
        return [(2, 2, 17, "", ("10.0.4.17", 0))]

    monkeypatch.setattr("apps.inventory.addresses.socket.getaddrinfo", getaddrinfo)
    profile = make_profile(networks=["10.0.0.0/8"])
    bmc = {"address": "bmc-17.example", "profile": profile.pk}
    headers = {"Idempotency-Key": "k1"}
    answer = api_client(admin).post("/api/servers/", body(bmc=bmc), headers=headers)
    assert answer.status_code == 201
    answer = api_client(admin).post("/api/servers/bulk", [body(name="b", bmc=bmc | {"port": 1})])
    assert answer.status_code == 201
    assert asked == [False, False]


# ------------------------------------------------------------------ removing and reading now


def test_a_server_is_removed(operator: User, server: Server) -> None:
    client = api_client(operator)
    url = f"/api/servers/{server.pk}"
    answer = client.delete(url, headers={"If-Match": '"v1"'})
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(url).status_code == 404
    assert AuditEntry.objects.get().action == "inventory.server.delete"


def test_a_protected_server_is_not_removed(operator: User, admin: User, server: Server) -> None:
    Server.objects.update(is_protected=True, protected_reason="hosts the DNS")
    answer = api_client(operator).delete(f"/api/servers/{server.pk}")
    assert (answer.status_code, answer.json()["code"]) == (409, "protected")
    assert "hosts the DNS" in answer.json()["detail"]
    lift = {"protection": {"is_protected": False}}
    answer = api_client(operator).patch(f"/api/servers/{server.pk}", lift)
    assert list(answer.json()["errors"]) == ["protection.is_protected"]
    assert api_client(admin).patch(f"/api/servers/{server.pk}", lift).status_code == 200


def test_reading_now_makes_the_bmc_due(readonly: User, operator: User, server: Server) -> None:
    late = timezone.now() + dt.timedelta(hours=1)
    Bmc.objects.update(poll_due_at=late, refused_key="k", refused_count=2)
    answer = api_client(readonly).post(f"/api/servers/{server.pk}/read", {})
    assert answer.status_code == 202
    assert answer["Location"].endswith(f"/api/servers/{server.pk}")
    assert answer.json()["is_refused_password_tried_again"] is False
    assert Bmc.objects.get().poll_due_at < late
    answer = api_client(operator).post(f"/api/servers/{server.pk}/read", {})
    assert answer.json()["is_refused_password_tried_again"] is True
    assert ServerStatus.objects.get().power == "unknown"  # nothing was read yet
