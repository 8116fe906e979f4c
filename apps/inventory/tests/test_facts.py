from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.audit.models import AuditEntry
from apps.clusters.models import Cluster
from apps.core.stale import StaleObject
from apps.core.testing import make_profile, make_server, make_site
from apps.inventory.choices import CustomFieldKind
from apps.inventory.models import CustomField, Rack, Server, Tag
from apps.inventory.services import ServerFacts, server_create, server_delete, server_update
from apps.inventory.services.servers import server_full

pytestmark = pytest.mark.django_db


@pytest.fixture
def rack(db: None) -> Rack:
    return Rack.objects.create(site=make_site(), name="A01", units=42, feeds=["A", "B"])


def facts(web: Cluster, **changes: Any) -> ServerFacts:
    given = {
        "name": "web-1", "cluster": web, "site": make_site(), "address": "127.0.9.1",
        "port": 623, "profile": None,
    }  # fmt: skip
    return ServerFacts(**{**given, **changes})


def problems(actor: Any, given: ServerFacts) -> dict[str, list[str]]:
    """Return what is refused; nothing is stored."""
    count = Server.objects.count()
    with pytest.raises(ValidationError) as refused:
        server_create(actor=actor, facts=given)
    assert Server.objects.count() == count
    return dict(refused.value.message_dict)


def test_everything_that_is_said_is_stored_and_told(
    operator: Any, web: Cluster, rack: Rack
) -> None:
    CustomField.objects.create(key="owner", label="Owner")
    given = facts(
        web, asset_tag="A-1", serial="S1", model="R660", tags=("prod", "pci"), notes="Front door",
        custom_fields={"owner": "db team"}, is_protected=True, protected_reason="Firmware trial",
        rack=rack, rack_unit=4, unit_count=2,
    )  # fmt: skip
    server = server_create(actor=operator, facts=given, reason="CHG-7")
    stored = ServerFacts.of(server_full(server.pk))
    assert stored == dataclasses.replace(given, tags=("pci", "prod"))
    assert server.top_unit == 5
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("inventory.server.create", "CHG-7")
    assert entry.after is not None
    assert entry.after["rack"] == "A01"


def test_every_problem_is_told_at_once(operator: Any, web: Cluster, rack: Rack) -> None:
    make_server(name="web-1", asset_tag="A-1", address="127.0.9.1")
    CustomField.objects.create(key="rows", label="Rows", kind=CustomFieldKind.NUMBER)
    far = Rack.objects.create(site=make_site("ams"), name="B01")
    found = problems(
        operator,
        facts(
            web, asset_tag="A-1", rack=far, is_protected=True, tags=("a,b",),
            custom_fields={"rows": "many"}, profile=make_profile(networks=["10.0.0.0/8"]),
        ),
    )  # fmt: skip
    assert set(found) == {
        "name", "asset_tag", "address", "rack", "protected_reason", "tags", "custom.rows",
        "profile",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "count", "word"),
    [(0, 1, "1 to 42"), (42, 2, "1 to 42"), (11, 1, "web-0"), (9, 2, "web-0"), (8, 6, "web-0")],
)
def test_two_servers_do_not_stand_in_one_place(
    operator: Any, web: Cluster, rack: Rack, unit: int, count: int, word: str
) -> None:
    make_server(name="web-0", rack=rack, rack_unit=10, unit_count=2)
    told = problems(operator, facts(web, rack=rack, rack_unit=unit, unit_count=count))
    assert word in told["rack_unit"][0]


def test_servers_of_one_chassis_share_its_units(operator: Any, web: Cluster, rack: Rack) -> None:
    make_server(name="web-0", rack=rack, rack_unit=10, unit_count=2)
    server = server_create(actor=operator, facts=facts(web, rack=rack, rack_unit=10, unit_count=2))
    assert server.rack == rack


def test_a_unit_without_a_rack_is_refused(operator: Any, web: Cluster) -> None:
    assert "rack_unit" in problems(operator, facts(web, rack_unit=3))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (CustomFieldKind.TEXT, "x", 7),
        (CustomFieldKind.TEXT, "x", "x" * 201),
        (CustomFieldKind.TEXT, "x", "a\u202eb"),
        (CustomFieldKind.NUMBER, 7.5, True),
        (CustomFieldKind.NUMBER, 7, "7"),
        (CustomFieldKind.NUMBER, 7, 1e300),
        (CustomFieldKind.DATE, "2026-11-30", "30.11.2026"),
        (CustomFieldKind.DATE, "2026-11-30", ["2026-11-30"]),
        (CustomFieldKind.FLAG, True, "yes"),
        (CustomFieldKind.CHOICE, "gold", "tin"),
    ],
)
def test_custom_fields_are_what_their_definition_says(
    operator: Any, web: Cluster, kind: str, good: Any, bad: Any
) -> None:
    CustomField.objects.create(key="x", label="X", kind=kind, options=["gold", "silver"])
    assert "custom.x" in problems(operator, facts(web, custom_fields={"x": bad}))
    server = server_create(actor=operator, facts=facts(web, custom_fields={"x": good}))
    assert server.custom_fields == {"x": good}


def test_an_unknown_custom_field_is_refused(operator: Any, web: Cluster) -> None:
    assert "custom_fields" in problems(operator, facts(web, custom_fields={"colour": "red"}))


def test_who_saves_second_is_told_and_nothing_is_overwritten(operator: Any, web: Cluster) -> None:
    server = server_create(actor=operator, facts=facts(web))
    mine = dataclasses.replace(ServerFacts.of(server), model="R660")
    server_update(
        actor=operator, server=server, expected_version=1,
        facts=dataclasses.replace(ServerFacts.of(server), model="R760"),
    )  # fmt: skip
    with pytest.raises(StaleObject) as told:
        server_update(actor=operator, server=server, facts=mine, expected_version=1)
    assert isinstance(told.value.current, Server)
    assert (told.value.current.model, told.value.current.version) == ("R760", 2)
    assert Server.objects.get().model == "R760"


def test_saving_what_is_there_changes_nothing(operator: Any, web: Cluster) -> None:
    server = server_create(actor=operator, facts=facts(web))
    server_update(actor=operator, server=server, facts=ServerFacts.of(server))
    assert Server.objects.get().version == 1
    assert AuditEntry.objects.count() == 1


def test_an_operator_protects_and_only_an_admin_lifts_it(
    operator: Any, admin: Any, web: Cluster
) -> None:
    server = server_create(actor=operator, facts=facts(web))
    given = dataclasses.replace(ServerFacts.of(server), is_protected=True, protected_reason="Trial")
    server = server_update(actor=operator, server=server, facts=given)
    bare = dataclasses.replace(ServerFacts.of(server), is_protected=False)
    with pytest.raises(ValidationError) as refused:
        server_update(actor=operator, server=server, facts=bare)
    assert "is_protected" in refused.value.message_dict
    with pytest.raises(ValidationError):
        server_delete(actor=operator, server=server)
    server = server_update(actor=admin, server=server, facts=bare)
    assert (server.is_protected, server.protected_reason) == (False, "")


def test_another_address_forgets_what_the_old_one_told(operator: Any, web: Cluster) -> None:
    server = server_create(actor=operator, facts=facts(web))
    bmc = server.bmc
    bmc.guid, bmc.seen_serial, bmc.vendor = "a" * 32, "S1", "Dell"
    bmc.save()
    moved = dataclasses.replace(ServerFacts.of(server_full(server.pk)), address="127.0.9.2")
    server_update(actor=operator, server=server, facts=moved)
    bmc.refresh_from_db()
    assert (bmc.guid, bmc.seen_serial, bmc.vendor) == ("", "", "")


def test_the_database_itself_keeps_tags_single_and_protection_explained(web: Cluster) -> None:
    make_server(asset_tag="A-1")
    for wrong in ({"asset_tag": "A-1"}, {"is_protected": True}, {"rack_unit": 3}):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_server(**wrong)
    make_server(asset_tag="")
    make_server(asset_tag="")


def test_tags_are_coined_once(operator: Any, web: Cluster) -> None:
    server_create(actor=operator, facts=facts(web, tags=("prod", "prod")))
    server_create(
        actor=operator, facts=facts(web, name="web-2", address="127.0.9.2", tags=("prod",))
    )
    assert list(Tag.objects.values_list("name", flat=True)) == ["prod"]
