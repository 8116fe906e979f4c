"""What is said before something is removed, and what keeps it from being removed."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.core.testing import make_cluster, make_profile, make_server
from apps.inventory import services
from apps.inventory.models import Bmc, CredentialProfile, Server
from apps.jobs.models import Job, JobTarget

pytestmark = pytest.mark.django_db


def question(client: Client, server: Server) -> str:
    return client.get(f"/servers/{server.pk}/delete").content.decode()


def test_a_server_tells_what_follows(client: Client, web: Any, operator: Any) -> None:
    server = make_server(
        name="web-1", cluster=web,
        status={"power": "on", "fault": "", "power_read_at": timezone.now()},
    )  # fmt: skip
    client.force_login(operator)
    text = question(client, server)
    for words in (
        "Nothing is sent to the BMC",
        "Its BMC goes too",
        "It is the last server of web",
        "On, read",
    ):
        assert words in text
    make_server(cluster=web)
    assert "1 other server stays in web." in question(client, server)


def test_a_shared_bmc_stays_and_names_only_what_the_person_sees(
    client: Client, web: Any, operator: Any
) -> None:
    server = make_server(name="blade-1", cluster=web)
    make_server(name="blade-2", cluster=web, bmc=server.bmc)
    make_server(name="secret-blade", cluster=make_cluster("third"), bmc=server.bmc)
    client.force_login(operator)
    text = question(client, server)
    assert "Its BMC stays: it manages 2 other servers. blade-2" in text
    assert "secret-blade" not in text
    assert client.post(f"/servers/{server.pk}/delete", {"version": "1"}).status_code == 303
    assert Bmc.objects.count() == 1


def test_an_order_at_work_is_told(client: Client, web: Any, operator: Any) -> None:
    server = make_server(name="web-1", cluster=web)
    client.force_login(operator)
    assert "order is at work" not in question(client, server)
    job = Job.objects.create(kind="power", actor_name="m.chen")
    JobTarget.objects.create(
        job=job, server=server, server_name="web-1", bmc=server.bmc, not_after=timezone.now()
    )
    assert "An order is at work on 1 server that goes." in question(client, server)


def test_a_protected_server_is_not_removed(client: Client, web: Any, operator: Any) -> None:
    server = make_server(cluster=web, is_protected=True, protected_reason="runs the phones")
    client.force_login(operator)
    text = question(client, server)
    assert "runs the phones" in text
    assert "Remove from the portal" not in text
    refused = client.post(f"/servers/{server.pk}/delete", {"version": "1"})
    assert refused.status_code == 422
    assert Server.objects.exists()


def test_a_server_that_changed_since_the_question_is_not_removed(
    client: Client, web: Any, operator: Any
) -> None:
    server = make_server(cluster=web, version=2)
    client.force_login(operator)
    response = client.post(f"/servers/{server.pk}/delete", {"version": "1"})
    assert response.status_code == 409
    assert 'name="version" value="2"' in response.content.decode()
    assert Server.objects.exists()
    assert client.post(f"/servers/{server.pk}/delete", {"version": "2"}).status_code == 303


def test_a_profile_in_use_is_not_removed(client: Client, admin: Any, operator: Any) -> None:
    profile = make_profile(name="dell")
    server = make_server(name="web-1", profile=profile)
    client.force_login(operator)
    assert client.get(f"/profiles/{profile.pk}/delete").status_code == 403
    assert client.post(f"/profiles/{profile.pk}/delete").status_code == 403
    client.force_login(admin)
    text = client.get(f"/profiles/{profile.pk}/delete").content.decode()
    assert f'<a href="/servers/{server.pk}/">web-1</a>' in text
    assert client.post(f"/profiles/{profile.pk}/delete").status_code == 422
    with pytest.raises(ValidationError, match="1 BMC is reached with it"):
        services.profile_delete(actor=admin, profile=profile)
    with pytest.raises(PermissionDenied):
        services.profile_delete(actor=operator, profile=profile)
    server.delete()
    Bmc.objects.update(profile=None)
    assert client.post(f"/profiles/{profile.pk}/delete", {"version": "1"}).status_code == 303
    assert not CredentialProfile.objects.exists()
    last = AuditEntry.objects.latest("pk")
    assert last.action == "inventory.profile.delete"
    assert profile.sealed_password not in str(last.before)


@pytest.mark.parametrize("path", ["/profiles/999999/delete", "/profiles/999999/history"])
def test_a_profile_that_is_not_there_is_a_404(client: Client, admin: Any, path: str) -> None:
    client.force_login(admin)
    assert client.get(path).status_code == 404
    assert client.post(path).status_code in (404, 405)
