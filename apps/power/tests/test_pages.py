"""What the server page says about orders, for every state they can stand in."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.core.testing import make_server
from apps.jobs.choices import FINAL, TargetState
from apps.jobs.models import CommandAttempt, Job, JobTarget
from apps.power.choices import PowerResult
from apps.power.pages import activity, current_lines, line_of

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 11, 23, 14, 2, 3, tzinfo=dt.UTC)


def target(state: str, action: str = "off", sent: bool = False, **fields: Any) -> JobTarget:
    server = fields.pop("server", None) or make_server()
    job = Job.objects.create(kind="power", params={"action": action}, actor_name="anna")
    is_final = TargetState(state) in FINAL
    row = JobTarget.objects.create(
        **{
            "job": job,
            "server": server,
            "server_name": server.name,
            "state": state,
            "state_at": AT,
            "not_after": AT,
            "ended_at": AT if is_final else None,
        }
        | fields
    )
    if sent:
        CommandAttempt.objects.create(target=row, command=action, fence=1, worker="w", sent_at=AT)
    return row


STATES: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"state": "queued"}, "wait", ["waits for a worker", "Nothing has been sent"]),
    ({"state": "queued", "sent": True}, "wait", ["did not take it yet"]),
    ({"state": "leased"}, "busy", ["Nothing has been sent"]),
    ({"state": "precheck"}, "busy", ["reading the state first", "Nothing has been sent"]),
    ({"state": "intent"}, "busy", ["Nothing has been sent"]),
    ({"state": "sent", "sent": True}, "busy", ["sent", "14:02:03", "no answer yet"]),
    ({"state": "verifying", "answered_at": AT}, "busy", ["accepted", "14:02:03", "reading"]),
    ({"state": "verifying", "sent": True}, "busy", ["no answer", "not sent again"]),
    (
        {"state": "succeeded", "result": "verified", "final_power": "off"},
        "done",
        ["Off, verified", "14:02:03"],
    ),
    (
        {"state": "succeeded", "action": "reset", "result": "restart_seen"},
        "done",
        ["Reset", "the restart was seen"],
    ),
    (
        {"state": "accepted", "action": "reset", "answered_at": AT},
        "accepted",
        ["Reset", "accepted by the BMC", "14:02:03", "effect not readable"],
    ),
    ({"state": "skipped", "result": "already_off"}, "off", ["It was off already", "nothing was"]),
    ({"state": "cancelled", "result": "stopped"}, "off", ["stopped", "Nothing was sent."]),
    (
        {"state": "unknown", "result": PowerResult.NO_EVIDENCE, "sent": True},
        "unknown",
        ["command sent at", "14:02:03", "no answer. It is not sent again.", "It may have run"],
    ),
    (
        {"state": "unknown", "result": PowerResult.NOT_READABLE, "answered_at": AT},
        "unknown",
        ["accepted", "could not be read"],
    ),
    (
        {"state": "unknown", "result": "superseded", "sent": True},
        "unknown",
        ["Another command went to the server before", "It may have run"],
    ),
    ({"state": "failed", "result": "expired"}, "fail", ["dropped; nothing was sent."]),
    ({"state": "failed", "result": PowerResult.STILL_ON}, "fail", ["failed", "It is still on"]),
]


@pytest.mark.parametrize(("facts", "tone", "words"), STATES)
def test_each_state_has_its_words(facts: dict[str, Any], tone: str, words: list[str]) -> None:
    line = line_of(target(**facts))
    said = f"{line.text} {line.detail} {line.next_step}"
    assert line.tone == tone
    for word in words:
        assert word in said
    if facts.get("sent"):
        assert "Nothing" not in said


def test_a_fault_of_the_bmc_keeps_its_code_for_the_page(client: Client, admin: Any) -> None:
    row = target("failed", result="unreachable", ended_at=timezone.now())
    line = line_of(row)
    assert (line.tone, line.fault) == ("fail", "unreachable")
    client.force_login(admin)
    text = client.get(f"/servers/{row.server_id}/").content.decode()
    assert "Hard power off failed" in text
    assert "BMC does not answer." in text


def test_a_name_of_html_in_an_order_is_text(client: Client, admin: Any) -> None:
    row = target("failed", result="<b>x</b>", ended_at=timezone.now(), action="<i>")
    client.force_login(admin)
    text = client.get(f"/servers/{row.server_id}/").content.decode()
    assert "<b>x" not in text
    assert "<i>" not in text.replace("<i></i>", "")


def test_what_is_at_work_stands_before_what_ended() -> None:
    server = make_server()
    target("succeeded", server=server, ended_at=timezone.now(), final_power="off")
    assert [line.tone for line in current_lines(server)] == ["done"]
    target("queued", server=server)
    assert [line.tone for line in current_lines(server)] == ["wait"]


def test_the_result_of_yesterday_is_history() -> None:
    server = make_server()
    target("succeeded", server=server, ended_at=timezone.now() - dt.timedelta(hours=25))
    assert current_lines(server) == []
    assert len(activity(server)) == 1


def test_the_history_has_ten_lines_at_most() -> None:
    server = make_server()
    for _ in range(12):
        target("succeeded", server=server)
    assert len(activity(server)) == 10


def test_the_page_has_a_constant_number_of_queries(
    client: Client, web: Any, readonly: Any, django_assert_num_queries: Any
) -> None:
    server = make_server(cluster=web)
    client.force_login(readonly)
    target("succeeded", server=server, sent=True)
    client.get(server.get_absolute_url())
    with django_assert_num_queries(QUERIES):
        client.get(server.get_absolute_url())
    for _ in range(5):
        target("succeeded", server=server, sent=True)
    with django_assert_num_queries(QUERIES):
        client.get(server.get_absolute_url())


QUERIES = 13
