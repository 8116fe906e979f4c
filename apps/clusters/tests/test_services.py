"""Clusters and sites change under a version, and go only when nothing uses them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clusters import services
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, RoleGrant, Site
from apps.core.stale import StaleObject
from apps.core.testing import make_cluster, make_profile, make_server, make_site, make_user
from apps.inventory.models import Bmc, Rack, Server
from apps.jobs.models import Worker

pytestmark = pytest.mark.django_db


def test_a_version_that_was_saved_since_is_refused(admin: Any) -> None:
    cluster, site = make_cluster("web"), make_site("fra")
    services.cluster_update(actor=admin, cluster=cluster, name="web2", expected_version=1)
    with pytest.raises(StaleObject):
        services.cluster_update(actor=admin, cluster=cluster, name="web3", expected_version=1)
    with pytest.raises(StaleObject):
        services.cluster_delete(actor=admin, cluster=cluster, expected_version=1)
    services.site_update(actor=admin, site=site, name="fra2")
    with pytest.raises(StaleObject):
        services.site_update(actor=admin, site=site, name="fra3", expected_version=1)
    assert Cluster.objects.get().name == "web2"
    assert Site.objects.get(name="fra2").version == 2


def test_the_same_name_is_no_change(admin: Any) -> None:
    cluster = make_cluster("web")
    services.cluster_update(actor=admin, cluster=cluster, name="web")
    assert Cluster.objects.get().version == 1
    assert not AuditEntry.objects.exists()


def test_a_cluster_in_use_stays_and_says_by_what(admin: Any) -> None:
    cluster = make_cluster("web")
    server = make_server(cluster=cluster)
    make_profile(clusters=[cluster])
    make_user("reader", Role.READONLY, cluster)
    with pytest.raises(ValidationError) as caught:
        services.cluster_delete(actor=admin, cluster=cluster)
    for words in ("1 server", "1 credential profile", "1 role given in it"):
        assert words in caught.value.messages[0]
    server.delete()
    RoleGrant.objects.filter(cluster=cluster).delete()
    with pytest.raises(ValidationError, match="used by 1 credential profile"):
        services.cluster_delete(actor=admin, cluster=cluster)
    assert Cluster.objects.exists()


def test_a_site_in_use_stays_and_says_by_what(admin: Any) -> None:
    site = make_site("fra")
    make_server(site=site)
    Rack.objects.create(site=site, name="B07")
    Worker.objects.create(name="w", site=site, host="h", pid=1, heartbeat_at=timezone.now())
    with pytest.raises(ValidationError) as caught:
        services.site_delete(actor=admin, site=site)
    for words in ("1 server", "1 rack", "1 running worker"):
        assert words in caught.value.messages[0]
    assert Site.objects.exists()


def test_a_site_that_a_bmc_without_servers_stands_at_stays(admin: Any) -> None:
    site = make_site("fra")
    Bmc.objects.create(site=site, address="127.0.0.9")
    with pytest.raises(ValidationError, match="Something uses it"):
        services.site_delete(actor=admin, site=site)
    assert Site.objects.exists()
    assert not AuditEntry.objects.exists()


def test_what_nothing_uses_goes_and_is_in_the_audit(admin: Any, operator: Any) -> None:
    cluster, site = make_cluster("old"), make_site("old-site")
    with pytest.raises(PermissionDenied):
        services.cluster_delete(actor=operator, cluster=cluster)
    with pytest.raises(PermissionDenied):
        services.site_delete(actor=operator, site=site)
    services.cluster_delete(actor=admin, cluster=cluster)
    services.site_delete(actor=admin, site=site)
    assert not Cluster.objects.filter(name="old").exists()
    assert not Site.objects.exists()
    told = AuditEntry.objects.values_list("action", "before")
    assert ("clusters.cluster.delete", {"name": "old"}) in list(told)


@pytest.mark.parametrize("noun", ["clusters", "sites"])
def test_pages_ask_before_and_refuse_with_links(
    client: Client, admin: Any, operator: Any, web: Any, noun: str
) -> None:
    site = make_site("fra")
    server = make_server(cluster=web, site=site)
    row = {"clusters": web, "sites": site}[noun]
    path = f"/{noun}/{row.pk}/delete"
    assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))
    client.force_login(operator)
    assert client.get(path).status_code == 403
    assert client.post(path).status_code == 403
    client.force_login(admin)
    text = client.get(path).content.decode()
    assert "It is used. Move or remove these first:" in text
    assert f"/servers/?{noun[:-1]}={row.pk}" in text
    assert client.post(path).status_code == 422
    assert client.get(f"/{noun}/999999/delete").status_code == 404
    server.bmc.delete()
    RoleGrant.objects.filter(cluster=web).delete()
    dialog = client.get(path, headers={"HX-Request": "true"}).content.decode()
    assert dialog.lstrip().startswith("<dialog")
    assert client.post(path, {"version": "1"}).status_code == 303
    assert not type(row)._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("noun", ["clusters", "sites"])
def test_lists_count_what_the_person_sees_in_few_queries(
    client: Client, web: Any, readonly: Any, django_assert_num_queries: Any, noun: str
) -> None:
    queries = {"clusters": 7, "sites": 13}[noun]
    make_server(cluster=web, site=make_site("fra"))
    make_server(cluster=make_cluster("third"), site=make_site("fra"))
    client.force_login(readonly)
    client.get(f"/{noun}/")
    with django_assert_num_queries(queries):
        text = client.get(f"/{noun}/").content.decode()
    assert ">1</a>" in text
    assert ">2</a>" not in text
    for n in range(9):
        cluster = make_cluster(f"more-{n}")
        RoleGrant.objects.create(user=readonly, role=Role.READONLY, cluster=cluster)
        make_server(cluster=cluster, site=make_site(f"s-{n}"))
    with django_assert_num_queries(queries):
        assert client.get(f"/{noun}/").content.decode().count("<tr id=") == 10


def test_the_page_of_a_site_pulls_its_racks(
    client: Client, web: Any, readonly: Any, outsider: Any
) -> None:
    site = make_site("fra")
    rack = Rack.objects.create(site=site, name="B07")
    make_server(cluster=web, site=site, rack=rack)
    path = f"/sites/{site.pk}/"
    assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))
    client.force_login(readonly)
    text = client.get(path).content.decode()
    assert f'hx-get="/racks/?site={site.pk}"' in text
    assert f'href="/racks/?site={site.pk}"' in text
    assert "1 rack" in text
    assert "/edit" not in text
    part = client.get(f"/racks/?site={site.pk}", headers={"HX-Request": "true"})
    assert part.content.decode().startswith('<div id="rack-list">')
    assert Server.objects.count() == 1
    hidden = make_site("hidden")
    assert client.get(f"/sites/{hidden.pk}/").status_code == 404
    client.force_login(outsider)
    assert client.get(f"/sites/{hidden.pk}/").status_code == 200, "operators choose among all"
