from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.core.dbtime import now_plus
from apps.core.panels import panel_render, panels_live
from apps.core.testing import make_cluster, make_server, make_site
from apps.inventory.models import Bmc, Rack, Server, Tag
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


def others(web: Any, count: int, power: str) -> None:
    fault = "never_read" if power == "unknown" else ""
    for _ in range(count):
        make_server(cluster=web, status={"power": power, "fault": fault})


@pytest.mark.parametrize(
    ("on", "off", "unknown", "says"),
    [
        (0, 0, 0, "It is the last server of web that is on. None of web stay on."),
        (0, 3, 0, "It is the last server of web that is on. None of web stay on."),
        (0, 1, 2, "No other server of web is known to be on."),
        (1, 0, 0, "1 of 1 other stays on"),
        (2, 1, 1, "2 of 4 others stay on"),
    ],
)
def test_what_stays_on_in_the_cluster(
    client: Client, web: Any, operator: Any, on: int, off: int, unknown: int, says: str
) -> None:
    server = make(web)
    others(web, on, "on")
    others(web, off, "off")
    others(web, unknown, "unknown")
    client.force_login(operator)
    for action in ("soft_off", "off", "cycle", "reset", "nmi"):
        text = client.get(path(server, action)).content.decode()
        assert says in text
        assert (f"{unknown} unknown" in text) is bool(unknown)
    assert "stay" not in client.get(path(server, "on")).content.decode().split("Cluster")[1][:200]


def test_a_server_that_is_off_is_not_called_the_last_one_that_is_on(
    client: Client, web: Any, operator: Any
) -> None:
    client.force_login(operator)
    text = client.get(path(make(web, "off"), "off")).content.decode()
    assert "last server" not in text
    assert "No other server of web is on." in text


def test_rack_units_and_what_stays_on_in_the_rack(client: Client, web: Any, operator: Any) -> None:
    rack = Rack.objects.create(site=make_site(), name="B07")
    server = make(web)
    Server.objects.filter(pk=server.pk).update(rack=rack, rack_unit=21, unit_count=2)
    on = {"power": "on", "fault": ""}
    make_server(cluster=web, rack=rack, rack_unit=1, status=on)
    make_server(cluster=make_cluster("hidden"), rack=rack, rack_unit=2, status=on)  # not theirs
    client.force_login(operator)
    text = client.get(path(server, "off")).content.decode()
    assert "Rack B07 · U21–22</b>, fra" in text
    assert "B07: 1 of 1 other stays on" in text


@pytest.mark.parametrize("action", INTERRUPTING)
@pytest.mark.parametrize("tag", ["prod", "PROD"])
def test_in_production_the_name_is_typed_also_on_a_fresh_reading(
    client: Client, web: Any, operator: Any, action: str, tag: str
) -> None:
    server = make(web)
    server.tags.add(Tag.objects.create(name=tag))
    client.force_login(operator)
    text = client.get(path(server, action), headers=HTMX).content.decode()
    assert "Type db-a-07 to confirm. It is tagged prod." in text
    assert "The reading was late" not in text
    for name in ("", "db-a-08", "db-a-07 ", "\x00", "<b>", "x" * 65):
        response = client.post(path(server, action), typed(typed_name=name))
        # A blank behind the name is no reason to refuse it.
        assert response.status_code == (303 if name == "db-a-07 " else 422)
    assert Job.objects.count() == 1
    assert client.post(path(server, action), typed(typed_name="db-a-07")).status_code == 303


@pytest.mark.parametrize("tag", ["product", "preprod"])
def test_other_tags_ask_for_no_name(client: Client, web: Any, operator: Any, tag: str) -> None:
    server = make(web)
    server.tags.add(Tag.objects.create(name=tag))
    client.force_login(operator)
    assert client.post(path(server, "off"), typed()).status_code == 303


def test_tagged_between_the_page_and_its_button_the_name_is_asked_for(
    client: Client, web: Any, operator: Any
) -> None:
    server = make(web)
    client.force_login(operator)
    client.get(path(server, "off"))
    server.tags.add(Tag.objects.create(name="prod"))
    response = client.post(path(server, "off"), typed())
    assert response.status_code == 422
    assert "Type db-a-07 to confirm" in response.content.decode()
    assert not Job.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_the_state_is_read_again_when_the_question_opens_and_shown_live(
    client: Client, web: Any, operator: Any, action: str
) -> None:
    server = make(web)
    Bmc.objects.update(poll_due_at=now_plus(50))
    client.force_login(operator)
    text = client.get(path(server, action), headers=HTMX).content.decode()
    assert Bmc.objects.filter(poll_due_at__lte=Now()).exists()
    root = f'id="power-state-{server.pk}" data-live-server="{server.pk}"'
    assert root in text
    frames = "".join(panel_render(panel, server) for panel in panels_live("inventory.server"))
    assert root in frames


def test_a_button_pressed_reads_nothing_by_itself(client: Client, web: Any, operator: Any) -> None:
    server = make(web)
    Bmc.objects.update(poll_due_at=now_plus(50))
    client.force_login(operator)
    client.post(path(server, "off"), typed())
    assert not Bmc.objects.filter(poll_due_at__lte=Now()).exists()


def test_the_question_costs_a_constant_number_of_queries(
    client: Client, web: Any, operator: Any, django_assert_num_queries: Any
) -> None:
    server = make(web)
    client.force_login(operator)
    client.get(path(server, "soft_off"))
    with CaptureQueriesContext(connection) as few:
        client.get(path(server, "soft_off"))
    others(web, 20, "on")
    with django_assert_num_queries(len(few)):
        client.get(path(server, "soft_off"))


@pytest.mark.parametrize("action", INTERRUPTING)
def test_enter_does_not_confirm_what_interrupts(
    client: Client, web: Any, operator: Any, action: str
) -> None:
    client.force_login(operator)
    server = make(web)
    for headers in ({}, HTMX):
        assert "data-no-enter" in client.get(path(server, action), headers=headers).content.decode()
        assert (
            "data-no-enter" not in client.get(path(server, "on"), headers=headers).content.decode()
        )


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
