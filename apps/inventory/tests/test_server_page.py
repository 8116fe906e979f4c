from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.core.testing import make_cluster, make_profile, make_server
from apps.inventory.models import Bmc, Server

pytestmark = pytest.mark.django_db
VERBS = ["edit", "delete", "read"]


@pytest.fixture
def server(web: Any) -> Server:
    now = timezone.now()
    return make_server(
        name="web-1",
        cluster=web,
        profile=make_profile(name="dell"),
        guid="7a4f0c529e114f0ab1d706e8a1c3f2b0",
        status={"power": "on", "last_power": "on", "power_read_at": now, "fault": ""},
    )


def path(server: Server, verb: str = "") -> str:
    return f"/servers/{server.pk}/{verb}"


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_anonymous_is_sent_to_sign_in(client: Client, server: Server, verb: str) -> None:
    for response in (client.get(path(server, verb)), client.post(path(server, verb))):
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_an_outsider_gets_what_a_missing_server_gives(
    client: Client, server: Server, outsider: Any, verb: str
) -> None:
    client.force_login(outsider)
    for method in (client.get, client.post):
        foreign = method(path(server, verb))
        missing = method(f"/servers/999999/{verb}")
        assert foreign.status_code == missing.status_code
        assert foreign.status_code in (404, 405)


@pytest.mark.parametrize("verb", ["edit", "delete"])
@pytest.mark.parametrize("who", ["readonly", "user"])
def test_changes_need_an_operator(
    client: Client, server: Server, request: pytest.FixtureRequest, verb: str, who: str
) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.get(path(server, verb)).status_code == 403
    assert client.post(path(server, verb)).status_code == 403
    assert Server.objects.filter(pk=server.pk).exists()


def test_buttons_follow_the_role(
    client: Client, server: Server, readonly: Any, user: Any, operator: Any
) -> None:
    seen = {}
    for person in (readonly, user, operator):
        client.force_login(person)
        text = client.get(path(server)).content.decode()
        seen[person.username] = {
            verb for verb in ("on", "soft_off", "off", "cycle", "reset", "nmi")
            if f"/power/{verb}/" in text
        }  # fmt: skip
        assert ("/edit" in text) == (person == operator)
    assert seen["readonly"] == set()
    assert seen["user"] == {"on", "soft_off"}
    assert seen["operator"] == {"on", "soft_off", "off", "cycle", "reset", "nmi"}


def test_the_page_tells_state_identity_and_bmc(
    client: Client, server: Server, readonly: Any
) -> None:
    client.force_login(readonly)
    text = client.get(path(server)).content.decode()
    for word in ("web-1", "Read now", server.bmc.guid, server.bmc.address, "dell", "623"):
        assert word in text
    assert f'id="server-state-{server.pk}" data-live-server="{server.pk}"' in text


def test_a_fault_has_its_next_step(client: Client, server: Server, readonly: Any) -> None:
    status = server.status
    status.power, status.fault, status.fault_at = "unknown", "auth_failed", timezone.now()
    status.save()
    client.force_login(readonly)
    text = client.get(path(server)).content.decode()
    assert "Unknown" in text
    assert "It was on." in text
    assert 'class="bp-next"' in text


def test_read_now_makes_the_bmc_due(client: Client, server: Server, readonly: Any) -> None:
    later = timezone.now() + dt.timedelta(hours=1)
    Bmc.objects.update(poll_due_at=later, refused_key="k", refused_count=1)
    client.force_login(readonly)
    response = client.post(path(server, "read"))
    assert (response.status_code, response["Location"]) == (303, path(server))
    bmc = Bmc.objects.get()
    assert bmc.poll_due_at < timezone.now() + dt.timedelta(seconds=5)
    assert (bmc.refused_key, bmc.refused_count) == ("k", 1)


def test_read_now_of_an_operator_lets_the_password_be_tried_again(
    client: Client, server: Server, operator: Any
) -> None:
    Bmc.objects.update(refused_key="k", refused_count=1)
    client.force_login(operator)
    response = client.post(path(server, "read"), headers={"HX-Request": "true"})
    assert response.status_code == 202
    assert "tried once more" in response.content.decode()
    bmc = Bmc.objects.get()
    assert (bmc.refused_key, bmc.refused_count) == ("", 0)
    assert AuditEntry.objects.filter(action="inventory.bmc.try_again", actor=operator).count() == 1


def test_an_operator_removes_a_server(client: Client, server: Server, operator: Any) -> None:
    client.force_login(operator)
    page = client.get(path(server, "delete")).content.decode()
    assert "Nothing is sent to the BMC" in page
    dialog = client.get(path(server, "delete"), headers={"HX-Request": "true"}).content.decode()
    assert dialog.lstrip().startswith("<dialog")
    response = client.post(path(server, "delete"))
    assert (response.status_code, response["Location"]) == (303, "/servers/")
    assert not Server.objects.exists()


def test_activity_tells_changes(client: Client, server: Server, operator: Any) -> None:
    client.force_login(operator)
    AuditEntry.objects.create(
        actor=operator, actor_name="operator", action="inventory.server.update",
        object_type="inventory.server", object_id=str(server.pk), object_name="web-1",
        before={"name": "old"}, after={"name": "web-1"},
    )  # fmt: skip
    other = make_server(cluster=make_cluster("elsewhere"))
    AuditEntry.objects.create(
        actor_name="somebody-else", action="inventory.server.update",
        object_type="inventory.server", object_id=str(other.pk), object_name="x",
    )  # fmt: skip
    text = client.get(path(server)).content.decode()
    assert "changed this server (Name)" in text
    assert "somebody-else" not in text
