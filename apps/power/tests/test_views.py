from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.testing import make_server
from apps.inventory.models import Server
from apps.jobs.models import Job

pytestmark = pytest.mark.django_db
ACTIONS = ["on", "off", "soft_off", "cycle", "reset", "nmi"]
INTERRUPTING = ["off", "cycle", "reset", "nmi"]
HTMX = {"HX-Request": "true"}


def make(web: Any, power: str = "on", seconds: float = 3) -> Server:
    at = timezone.now() - dt.timedelta(seconds=seconds)
    status = {
        "power": power,
        "last_power": power,
        "power_read_at": at,
        "fault": "",
        "fault_at": None,
    }
    return make_server(name="db-a-07", cluster=web, status=status)


def path(server: Server, action: str) -> str:
    return f"/servers/{server.pk}/power/{action}/"


def typed(**more: str) -> dict[str, str]:
    return {"request_key": str(uuid.uuid4()), "reason": "", **more}


@pytest.mark.parametrize("action", ACTIONS)
def test_anonymous_is_sent_to_sign_in(client: Client, web: Any, action: str) -> None:
    server = make(web)
    for response in (client.get(path(server, action)), client.post(path(server, action), typed())):
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("accounts:sign_in"))
    assert not Job.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_outsider_gets_404_like_for_a_missing_server(
    client: Client, web: Any, outsider: Any, action: str
) -> None:
    server = make(web)
    client.force_login(outsider)
    assert client.get(path(server, action)).status_code == 404
    assert client.post(path(server, action), typed()).status_code == 404
    assert client.post(f"/servers/999999/power/{action}/", typed()).status_code == 404
    assert not Job.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("who", ["readonly", "user", "operator", "admin"])
def test_roles(
    client: Client, web: Any, request: pytest.FixtureRequest, action: str, who: str
) -> None:
    server = make(web)
    client.force_login(request.getfixturevalue(who))
    is_allowed = who in ("operator", "admin") or (who == "user" and action not in INTERRUPTING)
    assert client.get(path(server, action)).status_code == (200 if is_allowed else 403)
    assert client.post(path(server, action), typed()).status_code == (303 if is_allowed else 403)
    assert Job.objects.count() == (1 if is_allowed else 0)


def test_an_unknown_action_is_404(client: Client, web: Any, admin: Any) -> None:
    client.force_login(admin)
    assert client.get(path(make(web), "explode")).status_code == 404


@pytest.mark.parametrize("action", ACTIONS)
def test_it_says_what_will_happen_and_sends_nothing(
    client: Client, web: Any, operator: Any, action: str
) -> None:
    server = make(web)
    client.force_login(operator)
    page = client.get(path(server, action)).content.decode()
    dialog = client.get(path(server, action), headers=HTMX).content.decode()
    assert "<html" in page
    assert dialog.lstrip().startswith("<dialog")
    for text in (page, dialog):
        assert "Nothing has been sent." in text
        assert "db-a-07" in text
        assert "ndo" in text
        assert re.search(r'name="request_key" value="[0-9a-f-]{36}"', text)
        assert ("Soft off instead" in text) == (action in INTERRUPTING)
        assert 'name="typed_name"' not in text
    assert not Job.objects.exists()


def test_an_order_leads_to_the_server(client: Client, web: Any, operator: Any) -> None:
    server = make(web)
    client.force_login(operator)
    response = client.post(path(server, "off"), typed(reason="hangs"), headers=HTMX)
    assert response["HX-Redirect"] == f"/servers/{server.pk}/"
    job = Job.objects.get()
    assert (job.params, job.reason, job.actor) == ({"action": "off"}, "hangs", operator)
    text = client.get(f"/servers/{server.pk}/").content.decode()
    assert "Hard power off ordered" in text
    assert "Nothing has been sent." in text


def test_the_same_key_is_the_same_order(client: Client, web: Any, operator: Any) -> None:
    server = make(web)
    client.force_login(operator)
    form = typed()
    first, second = (client.post(path(server, "reset"), form) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first["Location"] == second["Location"]
    assert Job.objects.count() == 1


def test_the_second_press_is_the_same_order_though_the_reading_is_late_now(
    client: Client, web: Any, operator: Any
) -> None:
    server = make(web)
    client.force_login(operator)
    form = typed()
    client.post(path(server, "reset"), form)
    status = server.status
    status.power_read_at = timezone.now() - dt.timedelta(days=1)
    status.save()
    assert client.post(path(server, "reset"), form).status_code == 303
    assert Job.objects.count() == 1


def test_the_key_of_another_person_is_refused_in_words(
    client: Client, web: Any, operator: Any, admin: Any
) -> None:
    server = make(web)
    form = typed()
    client.force_login(operator)
    client.post(path(server, "reset"), form)
    client.force_login(admin)
    response = client.post(path(server, "reset"), form, headers=HTMX)
    assert response.status_code == 422
    text = response.content.decode()
    assert "was used for another order" in text
    assert form["request_key"] not in text
    assert Job.objects.count() == 1


@pytest.mark.parametrize("key", ["", "not-a-key", "\x00"])
def test_a_form_without_its_key_orders_nothing(
    client: Client, web: Any, operator: Any, key: str
) -> None:
    client.force_login(operator)
    response = client.post(path(make(web), "reset"), {"request_key": key})
    assert response.status_code == 422
    text = response.content.decode()
    assert "Nothing has been sent. Confirm again." in text
    assert re.search(r'name="request_key" value="[0-9a-f-]{36}"', text)
    assert not Job.objects.exists()


LATE = 3 * settings.POLL_SECONDS


@pytest.mark.parametrize("action", INTERRUPTING)
def test_a_late_reading_asks_for_the_name(
    client: Client, web: Any, operator: Any, action: str
) -> None:
    server = make(web, seconds=LATE)
    client.force_login(operator)
    text = client.get(path(server, action), headers=HTMX).content.decode()
    assert "Type db-a-07 to confirm" in text
    for name in ("", "db-a-08", "DB-A-07"):
        response = client.post(path(server, action), typed(typed_name=name), headers=HTMX)
        assert response.status_code == 422
        assert response.content.decode().lstrip().startswith("<dialog")
    assert not Job.objects.exists()
    assert client.post(path(server, action), typed(typed_name="db-a-07")).status_code == 303


@pytest.mark.parametrize("action", ["on", "soft_off"])
def test_gentle_actions_ask_for_no_name(client: Client, web: Any, user: Any, action: str) -> None:
    server = make(web, seconds=LATE)
    client.force_login(user)
    assert "typed_name" not in client.get(path(server, action)).content.decode()
    assert client.post(path(server, action), typed()).status_code == 303


@pytest.mark.parametrize("action", ACTIONS)
def test_an_unknown_state_is_read_first(
    client: Client, web: Any, operator: Any, action: str
) -> None:
    server = make_server(name="db-a-07", cluster=web)
    client.force_login(operator)
    text = client.get(path(server, action), headers=HTMX).content.decode()
    assert "The power state is not known." in text
    assert "Read now" in text
    assert "data-sends" not in text
    response = client.post(path(server, action), typed(typed_name="db-a-07"))
    assert response.status_code == 422
    assert not Job.objects.exists()


def test_the_others_of_the_cluster_are_counted(client: Client, web: Any, operator: Any) -> None:
    server = make(web)
    on = {"power": "on", "fault": "", "power_read_at": timezone.now()}
    for _ in range(2):
        make_server(cluster=web, status=on)
    make_server(cluster=web)
    client.force_login(operator)
    text = client.get(path(server, "off")).content.decode()
    assert "2 of 3 others stay on" in text
    assert "1 unknown" in text


def test_a_reason_of_html_is_text_and_control_characters_are_refused(
    client: Client, web: Any, operator: Any
) -> None:
    server = make(web)
    client.force_login(operator)
    assert client.post(path(server, "off"), typed(reason="a\x07b")).status_code == 422
    client.post(path(server, "off"), typed(reason="<b>bold</b>"))
    text = client.get(f"/servers/{server.pk}/").content.decode()
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold" in text
