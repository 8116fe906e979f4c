"""The history of each object: who, when, what, before and after, in words and without secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.bmc import Secret
from apps.clusters import services as clusters
from apps.clusters.choices import Role
from apps.core.testing import make_cluster, make_profile, make_server, make_site, make_user
from apps.inventory import services
from apps.inventory.models import CustomField, Rack, Server
from apps.inventory.services.custom_fields import CustomFieldFacts
from apps.inventory.services.profiles import ProfileFacts
from apps.inventory.services.racks import RackFacts

pytestmark = pytest.mark.django_db


def entry(server: Server, action: str = "inventory.server.update", **fields: Any) -> AuditEntry:
    return AuditEntry.objects.create(
        **{
            "actor_name": "m.chen",
            "action": action,
            "object_type": "inventory.server",
            "object_id": str(server.pk),
            "object_name": server.name,
        }
        | fields
    )


def test_a_change_is_told_in_words(client: Client, web: Any, operator: Any, readonly: Any) -> None:
    CustomField.objects.create(key="owner", label="Owner")
    server = make_server(name="web-1", cluster=web)
    facts = replace(
        services.ServerFacts.of(server), suite="17", model="R760", custom_fields={"owner": "Data"}
    )
    services.server_update(actor=operator, server=server, facts=facts, reason="new board")
    client.force_login(readonly)
    text = " ".join(client.get(f"/servers/{server.pk}/history").content.decode().split())
    assert "operator" in text
    assert "changed this server" in text
    assert "new board" in text
    for label, before, after in (
        ("Cipher suite", "17, then 3", "17 only (SHA-256)"), ("Model", "–", "R760"),
        ("Owner", "–", "Data"),
    ):  # fmt: skip
        assert f"<dt>{label}</dt><dd><del>{before}</del>" in text
        assert f"<ins>{after}</ins>" in text


def test_rights_are_those_of_the_object(
    client: Client, web: Any, readonly: Any, outsider: Any
) -> None:
    server = make_server(cluster=web)
    path = f"/servers/{server.pk}/history"
    assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))
    client.force_login(readonly)
    assert client.get(path).status_code == 200
    client.force_login(outsider)
    assert client.get(path).status_code == 404
    assert client.get("/servers/999999/history").status_code == 404


def test_request_numbers_are_for_admins(
    client: Client, web: Any, admin: Any, readonly: Any
) -> None:
    server = make_server(cluster=web)
    entry(server, request_id="req-4711")
    for person, is_shown in ((readonly, False), (admin, True)):
        client.force_login(person)
        text = client.get(f"/servers/{server.pk}/history").content.decode()
        assert ("req-4711" in text) == is_shown


def test_the_name_of_a_cluster_out_of_sight_is_hidden(
    client: Client, web: Any, admin: Any, readonly: Any
) -> None:
    server = make_server(cluster=web)
    entry(server, before={"cluster": "secret-cluster"}, after={"cluster": "web"})
    client.force_login(readonly)
    text = client.get(f"/servers/{server.pk}/history").content.decode()
    assert "secret-cluster" not in text
    assert "<del>another cluster</del>" in text
    client.force_login(admin)
    assert "secret-cluster" in client.get(f"/servers/{server.pk}/history").content.decode()


def test_entries_of_other_objects_are_not_mixed_in(client: Client, admin: Any) -> None:
    server, other = make_server(), make_server()
    entry(other, actor_name="somebody-else")
    entry(server, object_type="inventory.rack", actor_name="somebody-else")
    client.force_login(admin)
    text = client.get(f"/servers/{server.pk}/history").content.decode()
    assert "somebody-else" not in text
    assert "Nothing is recorded here yet" in text


def test_orders_and_unknown_actions_are_told_too(client: Client, admin: Any) -> None:
    server = make_server()
    entry(server, "power.order", after={"job": 7, "action": "off"})
    entry(server, "some.new.action", after={"<b>key</b>": "<script>1</script>"})
    client.force_login(admin)
    text = client.get(f"/servers/{server.pk}/history").content.decode()
    assert "ordered it" in text
    assert "<dt>Job</dt><dd>7</dd>" in text
    assert "some.new.action" in text
    assert "<script>1" not in text
    assert "<b>key" not in text


def test_it_has_pages(client: Client, admin: Any, django_assert_num_queries: Any) -> None:
    server = make_server()
    for n in range(120):
        entry(server, reason=f"reason-{n:03}")
    client.force_login(admin)
    path = f"/servers/{server.pk}/history"
    client.get(path)
    with django_assert_num_queries(11):
        text = client.get(path).content.decode()
    assert "reason-119" in text
    assert "reason-069" not in text
    with django_assert_num_queries(11):
        assert "reason-000" in client.get(f"{path}?page=3").content.decode()
    for odd in ("x", "0", "-1", "99999", "%00"):
        assert client.get(f"{path}?page={odd}").status_code == 200


def test_racks_profiles_fields_sites_and_clusters_have_one(client: Client, admin: Any) -> None:
    client.force_login(admin)
    site, cluster = make_site("fra"), make_cluster("web")
    clusters.site_update(actor=admin, site=site, name="fra2")
    clusters.cluster_update(actor=admin, cluster=cluster, name="web2")
    rack = Rack.objects.create(site=site, name="B07", feeds=["A"])
    facts = replace(RackFacts.of(rack), feeds=("A", "B"))
    services.rack_update(actor=admin, rack=rack, facts=facts)
    field = CustomField.objects.create(key="owner", label="Owner")
    services.customfield_update(
        actor=admin, field=field, facts=CustomFieldFacts("owner", "Owner", "number")
    )
    for path, word in (
        (f"/fields/{field.pk}/history", "<del>Text</del>"),
        (f"/sites/{site.pk}/history", "<del>fra</del>"),
        (f"/clusters/{cluster.pk}/history", "<del>web</del>"),
        (f"/racks/{rack.pk}/history", "<ins>A, B</ins>"),
    ):
        assert word in client.get(path).content.decode()


def test_a_profile_tells_that_its_secret_is_new_and_never_what_it_is(
    client: Client, admin: Any, operator: Any
) -> None:
    profile = make_profile(name="dell")
    services.profile_update(
        actor=admin, profile=profile, clusters=[], password=Secret("canary-Pa55"),
        facts=ProfileFacts("dell", "admin", 4, ["127.0.0.0/8"], True),
    )  # fmt: skip
    client.force_login(admin)
    text = client.get(f"/profiles/{profile.pk}/history").content.decode()
    assert "<dt>New password</dt>" in text
    assert "Administrator" in text
    assert "canary-Pa55" not in text
    profile.refresh_from_db()
    assert profile.sealed_password not in text
    client.force_login(operator)
    assert client.get(f"/profiles/{profile.pk}/history").status_code == 403


def test_cluster_and_site_histories_follow_who_reaches_them(
    client: Client, web: Any, readonly: Any
) -> None:
    make_server(cluster=web, site=make_site("fra"))
    away, far = make_cluster("elsewhere"), make_site("far")
    client.force_login(readonly)
    assert client.get(f"/clusters/{web.pk}/history").status_code == 200
    assert client.get(f"/clusters/{away.pk}/history").status_code == 404
    assert client.get(f"/sites/{make_site('fra').pk}/history").status_code == 200
    assert client.get(f"/sites/{far.pk}/history").status_code == 404


def test_a_reader_everywhere_sees_every_name(client: Client, web: Any) -> None:
    server = make_server(cluster=web)
    entry(server, before={"cluster": "old-cluster"}, after={"cluster": "web"})
    client.force_login(make_user("everywhere", Role.READONLY))
    assert "old-cluster" in client.get(f"/servers/{server.pk}/history").content.decode()
