"""Racks: who may see and change them, what they say, and what they refuse."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.core.testing import make_cluster, make_server, make_site, make_user
from apps.inventory.elevation import Gap, elevation_of, rack_rows
from apps.inventory.models import Rack
from apps.inventory.services import RackFacts, rack_create, rack_delete, rack_update

pytestmark = pytest.mark.django_db
LIST_QUERIES, FRONT_QUERIES = 11, 10
ON = {"power": "on", "fault": ""}


@pytest.fixture
def rack(db: None) -> Rack:
    return Rack.objects.create(site=make_site(), name="B07", units=12, feeds=["A", "B"])


def put(rack: Rack, name: str, unit: int | None, **fields: Any) -> Any:
    return make_server(name=name, rack=rack, rack_unit=unit, site=rack.site, **fields)


# ---------------------------------------------------------------- rights


@pytest.mark.parametrize("verb", ["", "edit", "delete", "history"])
def test_anonymous_is_sent_to_sign_in(client: Client, rack: Rack, verb: str) -> None:
    for path in ("/racks/", "/racks/add", f"/racks/{rack.pk}/{verb}"):
        assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("verb", ["", "edit", "delete", "history"])
def test_a_rack_without_a_server_of_theirs_is_as_if_it_were_not_there(
    client: Client, rack: Rack, readonly: Any, verb: str
) -> None:
    put(rack, "hidden", 1, cluster=make_cluster("third"))
    client.force_login(readonly)
    for pk in (rack.pk, 999_999):
        assert client.get(f"/racks/{pk}/{verb}").status_code == 404


@pytest.mark.parametrize("who", ["readonly", "user", "operator"])
def test_only_admins_change(
    client: Client, rack: Rack, web: Any, request: pytest.FixtureRequest, who: str
) -> None:
    put(rack, "web-1", 1, cluster=web)
    client.force_login(request.getfixturevalue(who))
    assert client.get(f"/racks/{rack.pk}/").status_code == 200
    assert client.get(f"/racks/{rack.pk}/history").status_code == 200
    for path in ("/racks/add", f"/racks/{rack.pk}/edit", f"/racks/{rack.pk}/delete"):
        assert client.get(path).status_code == 403
        assert client.post(path, {"name": "x"}).status_code == 403
    text = client.get(f"/racks/{rack.pk}/").content.decode()
    assert "/edit" not in text
    assert Rack.objects.get().name == "B07"


def test_services_refuse_everybody_else(operator: Any, rack: Rack) -> None:
    facts = RackFacts.of(rack)
    with pytest.raises(PermissionDenied):
        rack_create(actor=operator, facts=replace(facts, name="x"))
    with pytest.raises(PermissionDenied):
        rack_update(actor=operator, rack=rack, facts=facts)
    with pytest.raises(PermissionDenied):
        rack_delete(actor=operator, rack=rack)


# ---------------------------------------------------------------- what admins write


def test_an_admin_adds_and_changes_a_rack(client: Client, admin: Any) -> None:
    client.force_login(admin)
    typed = {"site": make_site().pk, "name": "A01", "units": "47", "feeds": "A · PDU 7, B",
             "notes": "cold\r\naisle"}  # fmt: skip
    response = client.post("/racks/add", typed)
    rack = Rack.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/racks/{rack.pk}/")
    assert (rack.units, rack.feeds, rack.notes) == (47, ["A · PDU 7", "B"], "cold\naisle")
    assert client.post(f"/racks/{rack.pk}/edit", typed | {"units": "42"}).status_code == 303
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.before, entry.after) == (
        "inventory.rack.update", {"units": 47}, {"units": 42},
    )  # fmt: skip
    assert client.post(f"/racks/{rack.pk}/edit", typed | {"units": "42"}).status_code == 303
    assert AuditEntry.objects.count() == 2, "nothing changed, nothing is recorded"


BAD: list[tuple[str, Any, str]] = [
    ("site", "", "required"),
    ("site", "999999", "not one of the available"),
    ("site", "x", "not one of the available"),
    ("name", "", "required"),
    ("name", "   ", "required"),
    ("name", "x" * 65, "at most 64"),
    ("name", "a\x07", "cannot be seen"),
    ("name", "a\x00", "Null characters"),
    ("name", "B07", "Another rack of this site has this name."),
    ("units", "0", "greater than or equal to 1"),
    ("units", "61", "less than or equal to 60"),
    ("units", "many", "Enter a whole number"),
    ("units", "9" * 40, "less than or equal to 60"),
    ("feeds", "x" * 33, "At most 32 characters"),
    ("feeds", ",".join("abcdefghi"), "At most 8 power feeds"),
    ("feeds", "x" * 273, "at most 272"),
    ("feeds", "a\u202eb", "cannot be seen"),
    ("feeds", "a\x00", "Null characters"),
    ("notes", "x" * 4001, "at most 4000"),
    ("notes", "a\x1b", "cannot be seen"),
    ("notes", "a\x00", "Null characters"),
]


@pytest.mark.parametrize(("field", "value", "sentence"), BAD)
def test_bad_input_is_told_at_its_field_and_nothing_is_stored(
    client: Client, admin: Any, rack: Rack, field: str, value: str, sentence: str
) -> None:
    client.force_login(admin)
    typed = {"site": rack.site_id, "name": "A01", "units": "42"} | {field: value}
    response = client.post("/racks/add", typed, headers={"HX-Request": "true"})
    assert response.status_code == 422
    text = response.content.decode()
    assert sentence in text[text.index(f'id="id_{field}_error"') :].split("</div>")[0]
    assert Rack.objects.count() == 1


BAD_FACTS: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name"),
    ({"name": "x" * 65}, "name"),
    ({"name": "a\x00"}, "name"),
    ({"units": 0}, "units"),
    ({"units": 61}, "units"),
    ({"feeds": ("A", "A")}, "feeds"),
    ({"feeds": ("A,B",)}, "feeds"),
    ({"feeds": ("",)}, "feeds"),
    ({"feeds": tuple("abcdefghi")}, "feeds"),
    ({"notes": "x" * 4001}, "notes"),
    ({"notes": "a\x00"}, "notes"),
]


@pytest.mark.parametrize(("change", "name"), BAD_FACTS)
def test_the_service_looks_at_every_fact_itself(
    admin: Any, rack: Rack, change: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        rack_update(actor=admin, rack=rack, facts=replace(RackFacts.of(rack), **change))
    assert set(caught.value.message_dict) == {name}


def test_it_does_not_shrink_below_what_stands_in_it(admin: Any, rack: Rack) -> None:
    put(rack, "web-1", 9, unit_count=2)
    put(rack, "web-2", 1)
    for units in (9, 1):
        with pytest.raises(ValidationError, match="web-1 stands in the units 9 to 10"):
            rack_update(actor=admin, rack=rack, facts=replace(RackFacts.of(rack), units=units))
    rack_update(actor=admin, rack=rack, facts=replace(RackFacts.of(rack), units=10))
    rack.refresh_from_db()
    assert rack.units == 10


def test_it_keeps_its_site_while_servers_stand_in_it(admin: Any, rack: Rack) -> None:
    server = put(rack, "web-1", None)
    facts = replace(RackFacts.of(rack), site=make_site("ams"))
    with pytest.raises(ValidationError, match="Servers of fra stand in it: web-1"):
        rack_update(actor=admin, rack=rack, facts=facts)
    server.delete()
    assert rack_update(actor=admin, rack=rack, facts=facts).site.name == "ams"


def test_it_is_not_removed_while_servers_stand_in_it(
    client: Client, admin: Any, rack: Rack
) -> None:
    servers = [put(rack, f"web-{n}", None) for n in range(7)]
    with pytest.raises(ValidationError, match="web-0, web-1, web-2, web-3, web-4, 2 more"):
        rack_delete(actor=admin, rack=rack)
    client.force_login(admin)
    page = client.get(f"/racks/{rack.pk}/delete").content.decode()
    assert "Servers stand in it." in page
    assert f'href="/servers/{servers[0].pk}/"' in page
    assert "Remove from the portal" not in page
    refused = client.post(f"/racks/{rack.pk}/delete", {"version": "1"})
    assert refused.status_code == 422
    assert Rack.objects.exists()
    for server in servers:
        server.delete()
    dialog = client.get(f"/racks/{rack.pk}/delete", headers={"HX-Request": "true"})
    assert dialog.content.decode().lstrip().startswith("<dialog")
    assert client.post(f"/racks/{rack.pk}/delete", {"version": "1"}).status_code == 303
    assert not Rack.objects.exists()
    assert AuditEntry.objects.latest("pk").action == "inventory.rack.delete"


def test_a_rack_that_changed_since_the_question_is_not_removed(
    client: Client, admin: Any, rack: Rack
) -> None:
    rack_update(actor=admin, rack=rack, facts=replace(RackFacts.of(rack), notes="keep it"))
    client.force_login(admin)
    response = client.post(f"/racks/{rack.pk}/delete", {"version": "1"})
    assert response.status_code == 409
    assert "admin saved this while the question was open." in response.content.decode()
    assert Rack.objects.exists()


# ---------------------------------------------------------------- the front


def test_the_front_draws_slots_and_what_is_free(admin: Any, rack: Rack) -> None:
    put(rack, "low", 1, unit_count=2)
    put(rack, "high", 12)
    front = elevation_of(admin, rack)
    assert [(slot.low, slot.high) for slot in front.slots] == [(12, 12), (1, 2)]
    assert front.gaps == [Gap(3, 11)]
    assert (front.used_count, front.free_count) == (3, 9)
    assert [row.high for row in front.rows] == [12, 11, 2]


def test_servers_of_one_chassis_stand_side_by_side(admin: Any, rack: Rack) -> None:
    for name in ("b", "a"):
        put(rack, name, 3, unit_count=2)
    (slot,) = elevation_of(admin, rack).slots
    first, second = slot.places
    assert [place.server.name for place in slot.places if place.server] == ["a", "b"]
    assert first.box.y == second.box.y
    assert float(second.box.x) >= float(first.box.x) + float(first.box.width)


def test_who_may_not_see_a_server_sees_that_the_place_is_taken(
    client: Client, web: Any, readonly: Any, rack: Rack
) -> None:
    put(rack, "web-1", 1, cluster=web)
    third = make_cluster("third-cluster")
    hidden = put(rack, "secret-name", 3, unit_count=2, cluster=third, model="secret-model")
    put(rack, "secret-spare", None, cluster=third)
    client.force_login(readonly)
    for headers in ({}, {"HX-Request": "true"}):
        text = client.get(f"/racks/{rack.pk}/", headers=headers).content.decode()
        for word in ("secret", "third-cluster", f"/servers/{hidden.pk}/", f"slot-{hidden.pk}"):
            assert word not in text
        assert "Occupied" in text
        assert "U3–4" in text
        assert "1 server that you may not see" in text
    listed = client.get("/racks/").content.decode()
    assert "secret" not in listed
    assert "3 of 12" in listed, "units are counted for everybody"


def test_states_have_their_shapes_and_the_table_says_the_same(
    client: Client, web: Any, readonly: Any, rack: Rack
) -> None:
    now = timezone.now()
    put(rack, "on-1", 1, cluster=web, status=ON | {"power_read_at": now})
    put(rack, "off-1", 2, cluster=web, status={"power": "off", "fault": "", "power_read_at": now})
    put(rack, "unk-1", 3, cluster=web)
    client.force_login(readonly)
    text = client.get(f"/racks/{rack.pk}/").content.decode()
    for word in (
        'class="s-on"',
        'class="s-off"',
        'class="s-unknown"',
        "on-1: On",
        "unk-1: Unknown",
    ):
        assert word in text
    assert len(re.findall(r'<tbody id="server-\d+" data-live-server', text)) == 3
    assert len(re.findall(r'<svg class="bp-slot" id="rack-slot-\d+" data-live-server', text)) == 3
    assert 'data-live-page="rack"' in text
    assert "style=" not in text


def test_the_list_counts_what_the_person_sees(web: Any, readonly: Any, rack: Rack) -> None:
    put(rack, "web-1", 1, cluster=web, status=ON)
    put(rack, "web-2", 1, cluster=web)
    put(rack, "other", 5, cluster=make_cluster("third"), status=ON)
    (row,) = rack_rows(readonly, [rack])
    assert row.by_power == {"on": 1, "off": 0, "unknown": 1}
    assert (row.used_count, row.free_count, row.server_count) == (2, 10, 2)


def test_the_list_can_be_of_one_site(client: Client, admin: Any, rack: Rack) -> None:
    Rack.objects.create(site=make_site("ams"), name="other-rack")
    client.force_login(admin)
    text = client.get(f"/racks/?site={rack.site_id}").content.decode()
    assert "B07" in text
    assert "other-rack" not in text
    for bad in ("999999", "x", "-1", "9" * 30, "%00"):
        assert client.get(f"/racks/?site={bad}").status_code == 404
    assert client.get("/racks/?page=x").status_code == 200


def test_no_racks_are_told(client: Client, admin: Any, readonly: Any) -> None:
    client.force_login(admin)
    assert "No racks yet" in client.get("/racks/").content.decode()
    client.force_login(readonly)
    text = client.get("/racks/").content.decode()
    assert "None of your servers stands in one." in text
    assert "/racks/add" not in text


def test_the_number_of_queries_does_not_grow(
    client: Client, web: Any, readonly: Any, django_assert_num_queries: Any
) -> None:
    client.force_login(readonly)
    racks = [Rack.objects.create(site=make_site(), name="A01")]
    put(racks[0], "a-1", 1, cluster=web)
    client.get("/racks/")
    with django_assert_num_queries(LIST_QUERIES):
        client.get("/racks/")
    with django_assert_num_queries(FRONT_QUERIES):
        client.get(f"/racks/{racks[0].pk}/")
    for n in range(2, 12):
        other = Rack.objects.create(site=make_site(f"site-{n}"), name=f"A{n:02}")
        put(other, f"b-{n}", n, cluster=web)
        put(racks[0], f"c-{n}", n, cluster=web)
    with django_assert_num_queries(LIST_QUERIES):
        assert client.get("/racks/").content.decode().count('id="rack-') == 12
    with django_assert_num_queries(FRONT_QUERIES):
        client.get(f"/racks/{racks[0].pk}/")


def test_an_operator_of_one_cluster_sees_every_rack_to_choose_from(
    client: Client, operator: Any, rack: Rack
) -> None:
    client.force_login(operator)
    assert client.get(f"/racks/{rack.pk}/").status_code == 200


def test_a_global_reader_sees_all(client: Client, rack: Rack) -> None:
    put(rack, "web-1", 1, cluster=make_cluster("third"))
    client.force_login(make_user("everywhere", Role.READONLY))
    assert "web-1" in client.get(f"/racks/{rack.pk}/").content.decode()
