from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.clusters import services
from apps.clusters.models import Cluster, Site
from apps.core.testing import make_cluster, make_server, make_site

pytestmark = pytest.mark.django_db
NOUNS = [("clusters", Cluster), ("sites", Site)]


@pytest.mark.parametrize("noun", ["clusters", "sites"])
def test_anonymous_is_sent_to_sign_in(client: Client, noun: str) -> None:
    for path in (f"/{noun}/", f"/{noun}/add", f"/{noun}/1/edit"):
        assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))


def test_people_see_their_own_clusters(client: Client, web: Any, readonly: Any) -> None:
    away = make_cluster("elsewhere")
    client.force_login(readonly)
    text = client.get("/clusters/").content.decode()
    assert "web" in text
    assert "elsewhere" not in text
    assert "/add" not in text
    assert client.get(f"/clusters/{web.pk}/edit").status_code == 403
    assert client.get(f"/clusters/{away.pk}/edit").status_code == 404
    assert client.get("/clusters/999999/edit").status_code == 404


def test_readers_see_the_sites_of_their_servers(
    client: Client, web: Any, readonly: Any, outsider: Any
) -> None:
    make_server(cluster=web, site=make_site("fra2"))
    make_server(cluster=make_cluster("third"), site=make_site("hidden-site"))
    client.force_login(readonly)
    text = client.get("/sites/").content.decode()
    assert "fra2" in text
    assert "hidden-site" not in text


@pytest.mark.parametrize(("noun", "model"), NOUNS)
def test_only_admins_change(
    client: Client, noun: str, model: Any, web: Any, user: Any, operator: Any, readonly: Any
) -> None:
    for person in (readonly, user, operator):
        client.force_login(person)
        assert client.get(f"/{noun}/add").status_code == 403
        assert client.post(f"/{noun}/add", {"name": "new"}).status_code == 403
    assert not model.objects.filter(name="new").exists()


@pytest.mark.parametrize(("noun", "model"), NOUNS)
def test_an_admin_adds_and_renames(client: Client, admin: Any, noun: str, model: Any) -> None:
    client.force_login(admin)
    assert client.get(f"/{noun}/add").status_code == 200
    assert client.post(f"/{noun}/add", {"name": "one"}).status_code == 303
    row = model.objects.get(name="one")
    assert client.post(f"/{noun}/{row.pk}/edit", {"name": "two"}).status_code == 303
    row.refresh_from_db()
    assert row.name == "two"
    assert "two" in client.get(f"/{noun}/").content.decode()
    last = AuditEntry.objects.latest("pk")
    assert (last.before, last.after) == ({"name": "one"}, {"name": "two"})


@pytest.mark.parametrize(("noun", "model"), NOUNS)
@pytest.mark.parametrize(
    ("name", "sentence"),
    [("", "required"), ("x" * 65, "at most 64"), ("a\x07", "cannot be seen"), ("taken", "taken")],
)
def test_bad_names_are_told(
    client: Client, admin: Any, noun: str, model: Any, name: str, sentence: str
) -> None:
    model.objects.create(name="taken")
    client.force_login(admin)
    response = client.post(f"/{noun}/add", {"name": name}, headers={"HX-Request": "true"})
    assert response.status_code == 422
    text = response.content.decode()
    assert text.startswith("<form")
    assert sentence in text.split('id="id_name_error"')[1]
    assert model.objects.count() == 1


def test_services_refuse_everybody_else(operator: Any, web: Any) -> None:
    with pytest.raises(PermissionDenied):
        services.cluster_create(actor=operator, name="x")
    with pytest.raises(PermissionDenied):
        services.cluster_update(actor=operator, cluster=web, name="x")
    with pytest.raises(PermissionDenied):
        services.site_create(actor=operator, name="x")
