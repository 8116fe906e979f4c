"""Many servers changed at once: a preview that writes nothing, then all of them or none."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.core.testing import make_cluster, make_profile, make_server, make_site, make_user
from apps.inventory.models import Bmc, CustomField, Rack, Server, ServerStatus, Tag
from apps.inventory.services import (
    EditOutcome,
    ServerChanges,
    bulk_edit,
    server_update,
    servers_edit,
    servers_edit_preview,
)
from apps.inventory.services.facts import ServerFacts

pytestmark = pytest.mark.django_db


def edit(actor: Any, servers: Iterable[Server], changes: ServerChanges, **more: Any) -> EditOutcome:
    """Preview, then apply what the preview showed."""
    servers = list(servers)
    shown = servers_edit_preview(actor=actor, servers=servers, changes=changes)
    return servers_edit(
        actor=actor, servers=servers, changes=changes, expected=shown.versions, **more
    )


def reasons(outcome: EditOutcome) -> dict[str, str]:
    return {one.server.name: " ".join(one.reasons) for one in outcome.refused}


@pytest.fixture
def three(web: Cluster) -> list[Server]:
    return [make_server(name=f"web-{n}", cluster=web) for n in range(3)]


def test_the_preview_writes_nothing_and_says_what_would_change(
    operator: Any, three: list[Server]
) -> None:
    Server.objects.filter(name="web-2").update(model="R760")
    outcome = servers_edit_preview(
        actor=operator, servers=three, changes=ServerChanges({"model": "R760"})
    )
    assert [line.server.name for line in outcome.changed] == ["web-0", "web-1"]
    assert [server.name for server in outcome.unchanged] == ["web-2"]
    assert not outcome.refused
    assert not outcome.is_written
    assert Server.objects.filter(model="R760").count() == 1
    assert not AuditEntry.objects.exists()


def test_every_fact_is_written_and_kept_in_the_audit(
    admin: Any, web: Cluster, three: list[Server]
) -> None:
    CustomField.objects.create(key="owner", label="Owner")
    CustomField.objects.create(key="watts", label="Watts", kind="number")
    old, rack = Tag.objects.create(name="old"), Rack.objects.create(site=make_site(), name="B07")
    for server in three:
        server.tags.add(old)
        Server.objects.filter(pk=server.pk).update(custom_fields={"watts": 1})
    db, profile = make_cluster("db"), make_profile()
    changes = ServerChanges(
        {
            "cluster": db, "rack": rack, "model": "R760", "profile": profile, "suite": "17",
            "is_protected": True, "protected_reason": "runs the phones",
        },
        ("new", "prod"), ("old",), {"owner": "Data", "watts": None},
    )  # fmt: skip
    outcome = edit(admin, three, changes, reason="moved")
    assert outcome.is_written
    for server in Server.objects.select_related("bmc").prefetch_related("tags"):
        assert (server.cluster, server.rack, server.rack_unit) == (db, rack, None)
        assert (server.model, server.bmc.profile, server.bmc.suite) == ("R760", profile, "17")
        assert (server.is_protected, server.protected_reason) == (True, "runs the phones")
        assert sorted(tag.name for tag in server.tags.all()) == ["new", "prod"]
        assert server.custom_fields == {"owner": "Data"}
        assert server.version == 2
    assert not Tag.objects.filter(name="old").exists(), "no server has it any more"
    entries = AuditEntry.objects.filter(action="inventory.server.update", reason="moved")
    assert entries.count() == 3
    entry = entries[0]
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["cluster"], entry.after["cluster"]) == ("web", "db")
    assert entry.after["tags"] == ["new", "prod"]
    assert "name" not in entry.after


def test_clearing_empties(admin: Any, three: list[Server]) -> None:
    rack = Rack.objects.create(site=make_site(), name="B07")
    Server.objects.update(rack=rack, rack_unit=3, model="R760")
    Bmc.objects.update(profile=make_profile())
    changes = ServerChanges({"cluster": None, "rack": None, "model": "", "profile": None})
    assert edit(admin, three, changes).is_written
    for server in Server.objects.select_related("bmc"):
        assert (server.cluster, server.rack, server.rack_unit, server.model) == (None,) * 3 + ("",)
        assert server.bmc.profile is None


def test_a_server_that_stands_in_the_rack_already_keeps_its_unit(
    operator: Any, three: list[Server]
) -> None:
    rack = Rack.objects.create(site=make_site(), name="B07")
    Server.objects.filter(name="web-0").update(rack=rack, rack_unit=3)
    assert edit(operator, three, ServerChanges({"rack": rack, "model": "x"})).is_written
    units = dict(Server.objects.values_list("name", "rack_unit"))
    assert units == {"web-0": 3, "web-1": None, "web-2": None}


def test_refusals_name_each_server_with_its_reasons(
    operator: Any, web: Cluster, three: list[Server]
) -> None:
    elsewhere = make_server(name="seen-only", cluster=make_cluster("db"))
    away = make_server(name="away", cluster=web, site=make_site("ams"))
    guarded = make_server(name="guarded", cluster=web, is_protected=True, protected_reason="phones")
    full = make_server(name="full", cluster=web)
    full.tags.set(Tag.objects.create(name=f"t{n}") for n in range(20))
    rack = Rack.objects.create(site=make_site(), name="B07")
    changes = ServerChanges(
        {"rack": rack, "is_protected": False, "protected_reason": ""}, ("one-more",)
    )
    outcome = servers_edit_preview(
        actor=operator, servers=[*three, elsewhere, away, guarded, full], changes=changes
    )
    assert len(outcome.changed) == 3
    found = reasons(outcome)
    assert "not operator" in found["seen-only"]
    assert "This rack stands at fra." in found["away"]
    assert "Only an admin lifts the protection." in found["guarded"]
    assert "At most 20 tags." in found["full"]


def test_a_secret_goes_only_where_it_was_meant_to_go(
    operator: Any, web: Cluster, three: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4, for each server."""

    def found(name: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        if name == "nowhere.example":
            raise socket.gaierror
        address = "127.0.0.1" if name == "near.example" else "10.1.1.1"
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    for name in ("near", "far", "nowhere"):
        make_server(name=name, cluster=web, address=f"{name}.example")
    make_server(name="outside", cluster=web, address="10.9.9.9")
    profile = make_profile(networks=["127.0.0.0/8"], clusters=[web])
    outcome = servers_edit_preview(
        actor=operator, servers=list(Server.objects.all()),
        changes=ServerChanges({"profile": profile}),
    )  # fmt: skip
    told = reasons(outcome)
    assert set(told) == {"far", "nowhere", "outside"}
    assert "do not contain the address" in told["far"]
    assert "do not contain the address" in told["outside"]
    assert "No address was found" in told["nowhere"]
    assert {line.server.name for line in outcome.changed} == {"web-0", "web-1", "web-2", "near"}


def test_a_profile_of_others_and_a_foreign_cluster_are_refused(
    operator: Any, three: list[Server]
) -> None:
    closed = make_profile(clusters=[make_cluster("third")])
    with pytest.raises(ValidationError, match="opened to you"):
        servers_edit_preview(
            actor=operator, servers=three, changes=ServerChanges({"profile": closed})
        )
    for cluster in (make_cluster("third"), None):
        changes = ServerChanges({"cluster": cluster})
        with pytest.raises(PermissionDenied):
            servers_edit_preview(actor=operator, servers=three, changes=changes)
        with pytest.raises(PermissionDenied):
            servers_edit(actor=operator, servers=three, changes=changes, expected={})


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (ServerChanges({}, ("a,b",)), "tags_add"),
        (ServerChanges({}, ("x" * 33,)), "tags_add"),
        (ServerChanges({}, ("a\x00",)), "tags_add"),
        (ServerChanges({}, (), ("",)), "tags_remove"),
        (ServerChanges({}, ("a",), ("a",)), "tags_remove"),
        (ServerChanges({}, custom_fields={"gone": "x"}), "custom_fields"),
        (ServerChanges({}, custom_fields={"watts": "many"}), "custom.watts"),
    ],
)
def test_a_change_that_is_wrong_for_every_server_is_refused_as_such(
    operator: Any, three: list[Server], changes: ServerChanges, name: str
) -> None:
    CustomField.objects.create(key="watts", label="Watts", kind="number")
    with pytest.raises(ValidationError) as caught:
        servers_edit(actor=operator, servers=three, changes=changes, expected={})
    assert set(caught.value.message_dict) == {name}


def test_only_some_facts_are_for_many_at_once() -> None:
    with pytest.raises(ValueError, match="address"):
        ServerChanges({"address": "127.0.0.1"})


def test_one_that_was_saved_since_the_preview_stops_all_of_them(
    operator: Any, three: list[Server]
) -> None:
    changes = ServerChanges({"model": "R760"})
    shown = servers_edit_preview(actor=operator, servers=three, changes=changes)
    facts = ServerFacts.of(three[1])
    server_update(
        actor=operator, server=three[1], facts=ServerFacts(**_fields(facts) | {"notes": "x"})
    )
    outcome = servers_edit(actor=operator, servers=three, changes=changes, expected=shown.versions)
    assert not outcome.is_written
    assert set(reasons(outcome)) == {"web-1"}
    assert "Somebody saved it" in reasons(outcome)["web-1"]
    assert [line.server.name for line in outcome.changed] == ["web-0", "web-2"]
    assert not Server.objects.filter(model="R760").exists()


def test_one_that_somebody_else_changed_the_same_way_stops_them_too(
    operator: Any, three: list[Server]
) -> None:
    changes = ServerChanges({"model": "R760"})
    shown = servers_edit_preview(actor=operator, servers=three, changes=changes)
    Server.objects.filter(name="web-1").update(model="R760", version=2)
    outcome = servers_edit(actor=operator, servers=three, changes=changes, expected=shown.versions)
    assert set(reasons(outcome)) == {"web-1"}
    assert not outcome.is_written


def test_one_that_is_gone_stops_them_too(operator: Any, three: list[Server]) -> None:
    changes = ServerChanges({"model": "R760"})
    shown = servers_edit_preview(actor=operator, servers=three, changes=changes)
    three[0].delete()
    outcome = servers_edit(
        actor=operator, servers=three[1:], changes=changes, expected=shown.versions
    )
    assert (outcome.is_written, outcome.missing) == (False, 1)
    assert not Server.objects.filter(model="R760").exists()


def test_a_server_that_was_not_shown_is_refused(operator: Any, three: list[Server]) -> None:
    outcome = servers_edit(
        actor=operator, servers=three, changes=ServerChanges({"model": "R760"}), expected={}
    )
    assert len(outcome.refused) == 3
    assert not outcome.is_written


def test_one_that_is_saved_while_the_change_is_judged_stops_them(
    operator: Any, three: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the lock, while a name server was asked."""
    changes = ServerChanges({"model": "R760"})
    shown = servers_edit_preview(actor=operator, servers=three, changes=changes)
    look = bulk_edit._judged

    def judged(*args: Any) -> EditOutcome:
        outcome = look(*args)
        Server.objects.filter(name="web-1").update(notes="theirs", version=2)
        return outcome

    monkeypatch.setattr(bulk_edit, "_judged", judged)
    outcome = servers_edit(actor=operator, servers=three, changes=changes, expected=shown.versions)
    assert set(reasons(outcome)) == {"web-1"}
    assert len(outcome.changed) == 2
    assert not outcome.is_written
    assert not Server.objects.filter(model="R760").exists()


def test_the_other_servers_of_a_chassis_are_told(operator: Any, web: Cluster) -> None:
    one = make_server(name="blade-1", cluster=web)
    two = make_server(name="blade-2", cluster=web, bmc=one.bmc)
    assert edit(operator, [one], ServerChanges({"suite": "3"})).is_written
    two.refresh_from_db()
    assert two.version == 2
    assert AuditEntry.objects.get(object_name="blade-2").after == {"suite": "3"}


def _fields(facts: ServerFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in facts.__slots__}


def fleet(count: int, cluster: Cluster) -> list[Server]:
    site = make_site()
    bmcs = Bmc.objects.bulk_create(
        Bmc(site=site, address=f"127.20.{n >> 8}.{n & 255}") for n in range(count)
    )
    servers = Server.objects.bulk_create(
        Server(name=f"many-{n:05}", cluster=cluster, bmc=bmc) for n, bmc in enumerate(bmcs)
    )
    ServerStatus.objects.bulk_create(ServerStatus(server=server) for server in servers)
    return servers


def test_a_thousand_in_seconds_and_in_few_statements(
    web: Cluster, django_assert_max_num_queries: Any
) -> None:
    actor = make_user("boss", Role.ADMIN)
    servers = fleet(1000, web)
    changes = ServerChanges(
        {"cluster": make_cluster("db"), "model": "R760", "profile": make_profile()}, ("prod",)
    )
    began = time.perf_counter()
    with django_assert_max_num_queries(80):
        outcome = edit(actor, servers, changes)
    seconds = time.perf_counter() - began
    assert outcome.is_written
    assert len(outcome.changed) == 1000
    assert AuditEntry.objects.count() == 1000
    assert seconds < 15, "5 s promised, thrice that under load"
