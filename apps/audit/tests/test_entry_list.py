"""The page of the audit and its export: for admins, whole, and safe to open."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.audit import export, selectors, worker
from apps.audit.chain import Row, row_hash
from apps.audit.models import AuditEntry
from apps.audit.services import entry_record
from apps.core.testing import api_client, make_cluster, make_server

pytestmark = pytest.mark.django_db

PAGE = "/audit/"
EXPORT = "/audit/export"
CAST = ("operator", "user", "readonly", "outsider")
XSS = "<script>alert(1)</script>\"'&"


def record(actor: User | None = None, action: str = "clusters.cluster.update", **told: Any) -> Any:
    obj = told.pop("obj", None) or make_cluster("web")
    return entry_record(actor=actor, action=action, obj=obj, **told)


def page(client: Client, **asked: Any) -> str:
    answer = client.get(PAGE, asked)
    assert answer.status_code == 200
    return answer.content.decode()


def shown(text: str) -> set[int]:
    return {int(part.split('"')[0]) for part in text.split('id="entry-')[1:] if part[0].isdigit()}


@pytest.fixture
def admins(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.mark.parametrize("who", CAST)
def test_only_admins_see_it(who: str, request: pytest.FixtureRequest) -> None:
    person, client = request.getfixturevalue(who), Client()
    client.force_login(person)
    record(reason="secret plans")
    assert not AuditEntry.objects.visible_to(person).exists()
    for answer in (client.get(PAGE), client.post(EXPORT, {"format": "csv"})):
        assert answer.status_code == 403
        assert b"secret plans" not in answer.content
    assert not AuditEntry.objects.filter(action="audit.export").exists()


def test_who_is_not_signed_in_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.get(PAGE).status_code == 302
    assert client.post(EXPORT, {"format": "csv"}).status_code == 302


def test_a_disabled_admin_sees_nothing(admin: User) -> None:
    record()
    admin.is_active = False
    assert not AuditEntry.objects.visible_to(admin).exists()


def test_nothing_is_exported_by_following_a_link(admins: Client) -> None:
    assert admins.get(EXPORT).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="admin"))
    assert strict.post(EXPORT, {"format": "csv"}).status_code == 403


def test_entries_are_told_in_words_with_their_place_in_the_chain(admins: Client) -> None:
    record(before={"name": "old name"}, after={"name": "web"}, reason="ticket 7")
    worker.seal()
    text = page(admins)
    entry = AuditEntry.objects.get(number=1)
    for part in ("changed this cluster", "Name", "old name", "“ticket 7”", entry.hash):
        assert part in text


def test_an_empty_audit_says_so(admins: Client) -> None:
    text = page(admins)
    assert "Nothing is recorded here" in text
    assert "No entry matches" in page(admins, q="xyz")


def test_hostile_names_and_reasons_are_text(admins: Client) -> None:
    record(reason=XSS, before={"name": XSS}, after={"name": XSS + "2", XSS: XSS})
    text = page(admins)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_huge_reason_is_cut_and_shown(admins: Client) -> None:
    assert len(record(reason="x" * 100_000).reason) == 500
    assert "x" * 500 in page(admins)


FILTERS: list[tuple[dict[str, str], str]] = [
    ({"who": "admin"}, "ac"),
    ({"who": "adm"}, ""),
    ({"action": "clusters.cluster.update"}, "a"),
    ({"action": "*.order"}, "b"),
    ({"kind": "commands"}, "b"),
    ({"kind": "changes"}, "ac"),
    ({"object_type": "inventory.server"}, "b"),
    ({"object_type": "clusters.cluster", "who": "admin"}, "ac"),
    ({"q": "TICKET a"}, "a"),
    ({"q": "operator"}, "b"),
    ({"q": "%"}, ""),
    ({"since": "2020-01-01T00:00", "until": "2020-01-02T00:00Z"}, "a"),
    ({"until": "2021-01-01T00:00:00+02:00"}, "a"),
    ({"since": "2021-01-01"}, "bc"),
    ({}, "abc"),
]


@pytest.fixture
def three(admin: User, operator: User, web: Any) -> dict[int, str]:
    old, now = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC), timezone.now()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            actor=actor, actor_name=actor.username, action=action, object_type=kind,
            object_id="1", object_name=f"object {name}", reason=f"Ticket {name}",
            at=old if name == "a" else now,
        )
        for name, actor, action, kind in (
            ("a", admin, "clusters.cluster.update", "clusters.cluster"),
            ("b", operator, "power.order", "inventory.server"),
            ("c", admin, "clusters.cluster.delete", "clusters.cluster"),
        )
    )  # fmt: skip
    return {row.pk: row.reason[-1] for row in AuditEntry.objects.filter(reason__startswith="T")}


@pytest.mark.parametrize(("asked", "expected"), FILTERS, ids=str)
def test_filters_on_the_page_and_over_rest(
    asked: dict[str, str], expected: str, three: dict[int, str], admins: Client, admin: User
) -> None:
    assert {three[pk] for pk in shown(page(admins, **asked)) & set(three)} == set(expected)
    answer = api_client(admin).get("/api/audit/", asked)
    assert {three[row["id"]] for row in answer.json()["results"] if row["id"] in three} == set(
        expected
    )


@pytest.mark.parametrize(
    "asked",
    [{"action": "nothing"}, {"since": "yesterday"}, {"kind": "x"}, {"q": "a\0"}, {"q": "x" * 101}],
    ids=str,
)
def test_a_filter_that_cannot_be_read_shows_nothing(asked: dict[str, str], admins: Client) -> None:
    record()
    text = page(admins, **asked)
    assert "This filter cannot be read" in text
    assert not shown(text)
    answer = admins.post(f"{EXPORT}?since=yesterday", {"format": "csv"})
    assert answer.status_code == 422


@pytest.mark.parametrize("place", ["", "x", "-1", "9" * 19, "9" * 400, "²"])
def test_a_place_that_is_none_is_passed_over(place: str, admins: Client) -> None:
    record()
    assert admins.get(PAGE, {"older": place}).status_code == 200
    assert admins.get(PAGE, {"newer": place}).status_code == 200


def test_pages_go_back_and_forth_without_counting(
    admins: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "PAGE", 3)
    pks = [record().pk for _ in range(8)][::-1]
    entries = AuditEntry.objects.filter(pk__in=pks)
    first = selectors.entries_page(entries, None, None)
    second = selectors.entries_page(entries, first.older, None)
    third = selectors.entries_page(entries, second.older, None)
    told = [[entry.pk for entry in one.entries] for one in (first, second, third)]
    assert told == [pks[:3], pks[3:6], pks[6:]]
    assert (first.newer, third.older) == (None, None)
    back = selectors.entries_page(entries, None, third.newer)
    assert [entry.pk for entry in back.entries] == pks[3:6]
    assert selectors.entries_page(entries, None, back.newer).newer is None


def test_many_entries_cost_no_more_queries(
    admins: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for index in range(60):
        record(before={"name": f"{index}"}, after={"name": "b"})
        record(obj=make_server(), action="inventory.server.create", after={"name": "s"})
    with django_assert_max_num_queries(12):
        assert len(shown(page(admins))) == 100


def test_a_sealer_that_stands_still_is_told(admins: Client) -> None:
    record()
    assert "the sealer does not run" not in page(admins)
    old = AuditEntry(
        actor_name="x", action="x", object_type="x", object_id="1", object_name="x",
        at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip
    AuditEntry.objects.bulk_create([old])
    assert "the sealer does not run" in page(admins)
    worker.seal()
    assert "the sealer does not run" not in page(admins)


def exported(client: Client, kind: str, query: str = "") -> str:
    answer: Any = client.post(f"{EXPORT}{query}", {"format": kind})
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    return b"".join(answer.streaming_content).decode()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_runs_in_a_spreadsheet(start: str, admins: Client) -> None:
    record(reason=f"{start}cmd", before={"name": "a"}, after={"name": start})
    rows = list(csv.DictReader(io.StringIO(exported(admins, "csv"), newline="")))
    assert f"'{start}cmd" in [row["reason"] for row in rows]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(start)]


def test_an_export_is_recorded_with_what_was_asked(admins: Client, admin: User) -> None:
    record(admin, reason="in it")
    record(reason="not in it")
    text = exported(admins, "csv", "?who=admin")
    assert "in it" in text
    assert "not in it" not in text
    entry = AuditEntry.objects.get(action="audit.export")
    assert (entry.actor_id, entry.object_id) == (admin.pk, str(admin.pk))
    assert entry.after == {"format": "csv", "rows": 1, "filters": {"who": "admin"}}
    assert "exported the audit" in page(admins)


def test_json_lines_hold_all_that_a_hash_covers(admins: Client) -> None:
    record(before={"ö": [1.5, None]}, after={"b": "\u2028"}, reason="=1")
    record()
    worker.seal()
    rows = [json.loads(line) for line in exported(admins, "jsonl").split("\n") if line]
    assert len(rows) == 2
    for told in rows:
        told["at"] = dt.datetime.fromisoformat(told["at"])
        row = Row(**told)
        assert row_hash(row, row.number or 0, row.previous_hash) == row.hash
    assert rows[1]["previous_hash"] == rows[0]["hash"]


def test_an_export_comes_in_batches_oldest_first(
    admins: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    pks = [record().pk for _ in range(5)]
    lines = exported(admins, "jsonl").splitlines()
    assert [json.loads(line)["id"] for line in lines] == pks


def test_too_much_is_not_exported_in_part(admins: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.audit.views.MOST", 2)
    for _ in range(3):
        record()
    answer = admins.post(EXPORT, {"format": "csv"})
    assert answer.status_code == 422
    assert "More than 2 entries match" in answer.content.decode()
    assert not AuditEntry.objects.filter(action="audit.export").exists()


def test_another_format_is_refused(admins: Client) -> None:
    for kind in ("", "xlsx", "CSV"):
        assert admins.post(EXPORT, {"format": kind}).status_code == 422


@pytest.mark.django_db(transaction=True)
async def test_the_server_streams_it_without_stopping_its_loop(admin: User) -> None:
    client = AsyncClient()
    await client.aforce_login(admin)
    answer: Any = await client.post(EXPORT, {"format": "jsonl"})
    assert answer.status_code == 200
    blocks = [block async for block in answer.streaming_content]
    assert (
        b"".join(blocks).count(b"\n")
        == await AuditEntry.objects.exclude(action="audit.export").acount()
    )
    await sync_to_async(connections.close_all)()  # of the thread that read for the loop


def test_names_are_those_the_menu_uses() -> None:
    assert (reverse("audit:entry_list"), reverse("audit:entry_export")) == (PAGE, EXPORT)
