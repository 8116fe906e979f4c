"""S9: the sealer gives numbers and hashes, and `audit_verify` names the first bad row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.audit import verify, worker
from apps.audit.chain import START
from apps.audit.models import AuditEntry, AuditHead
from apps.audit.services import entry_build, entry_record
from apps.audit.tasks import head, seal
from apps.clusters.models import Cluster
from apps.core.testing import make_cluster

pytestmark = pytest.mark.django_db

COLUMNS: dict[str, Any] = {
    "at": "2001-01-01 00:00:00",
    "actor_id": 4711,
    "actor_name": "somebody",
    "action": "other.action",
    "object_type": "other.kind",
    "object_id": "x",
    "object_name": "other",
    "reason": "another reason",
    "before": '{"name": "c"}',
    "after": None,
    "request_id": "r2",
    "hash": "f" * 64,
    "previous_hash": "e" * 64,
}


def record(count: int = 1, **fields: Any) -> list[AuditEntry]:
    cluster = Cluster.objects.first() or make_cluster("web")
    told = {"before": {"name": "a"}, "after": {"name": "b"}, "reason": "ticket 1"} | fields
    return [
        entry_record(actor=None, action="clusters.cluster.update", obj=cluster, **told)
        for _ in range(count)
    ]


@contextmanager
def unguarded() -> Iterator[Any]:
    """Write as somebody with the database in their hands, past the portal and its trigger."""
    is_guarded = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if is_guarded:
            cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_entry_keep")
        yield cursor
        if is_guarded:
            cursor.execute("ALTER TABLE audit_auditentry ENABLE TRIGGER audit_entry_keep")


def tamper(statement: str, values: list[Any] | None = None) -> None:
    with unguarded() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount >= 1


def checked(*arguments: str) -> str:
    out = StringIO()
    call_command("audit_verify", *arguments, stdout=out)
    return out.getvalue()


def broken(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        checked(*arguments)
    assert caught.value.returncode == 1
    return str(caught.value)


def chain(count: int = 10) -> list[AuditEntry]:
    record(count)
    assert worker.seal() == count
    return list(AuditEntry.objects.order_by("number"))


def test_rows_get_gapless_numbers_and_the_hash_of_the_row_before() -> None:
    rows = chain(3)
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.previous_hash for row in rows] == [START.hash, rows[0].hash, rows[1].hash]
    assert str(AuditHead.objects.get()) == f"3:{rows[2].hash}"
    assert "3 rows, all as they were sealed" in checked()


def test_sealing_goes_on_where_it_ended_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BATCH", 3)
    monkeypatch.setattr(verify, "BATCH", 2)
    chain(7)
    record(2)
    assert worker.seal() == 2
    assert worker.seal() == 0
    assert "9 rows" in checked()


def test_an_empty_audit_is_in_order() -> None:
    assert checked().startswith("0 rows")
    assert "Nothing is sealed yet" in checked("--head")


def test_a_rollback_leaves_no_gap() -> None:
    record()
    with transaction.atomic():
        record(2)
        transaction.set_rollback(True)
    record()
    assert worker.seal() == 2
    assert checked().startswith("2 rows")


@pytest.mark.parametrize("column", COLUMNS)
def test_an_edit_of_any_field_names_the_row(column: str) -> None:
    rows = chain(5)
    cast = "::jsonb" if connection.vendor == "postgresql" and column == "before" else ""
    tamper(
        f"UPDATE audit_auditentry SET {column} = %s{cast} WHERE number = 3",  # noqa: S608  names of this file
        [COLUMNS[column]],
    )
    assert f"Row 3 (id {rows[2].pk})" in broken()


def test_a_deleted_row_is_missing() -> None:
    chain(5)
    tamper("DELETE FROM audit_auditentry WHERE number = 2")
    assert broken() == "Row 2 is missing: the next one has the number 3."


def test_a_deleted_first_row_is_missing() -> None:
    chain(5)
    tamper("DELETE FROM audit_auditentry WHERE number = 1")
    assert broken() == "Row 1 is missing: the next one has the number 2."


def test_rows_taken_from_the_end_are_missing_also_when_the_sealer_went_on() -> None:
    chain(5)
    tamper("DELETE FROM audit_auditentry WHERE number > 3")
    assert broken() == "Row 4 is missing: rows were taken from the end."
    record()
    worker.seal()
    assert broken() == "Row 4 is missing: the next one has the number 6."


def test_a_removed_end_with_its_note_is_found_by_a_head_from_the_log() -> None:
    rows = chain(5)
    tamper("DELETE FROM audit_auditentry WHERE number > 3")
    AuditHead.objects.update(number=3, hash=rows[2].hash)
    assert checked().startswith("3 rows")
    assert "Row 4 is missing" in broken("--expect", f"5:{rows[4].hash}")
    record(2)
    worker.seal()
    assert broken("--expect", f"5:{rows[4].hash}") == (
        "Row 5 is not the one that had this number in the log."
    )
    assert checked("--expect", f"3:{rows[2].hash}").startswith("5 rows")


def test_a_chain_written_anew_is_found_by_a_head_from_the_log() -> None:
    rows = chain(5)
    old = f"4:{rows[3].hash}"
    tamper("UPDATE audit_auditentry SET number = NULL, reason = 'a better one'")
    AuditHead.objects.all().delete()
    worker.seal()
    assert checked().startswith("5 rows")
    assert "Row 4 is not the one" in broken("--expect", old)


def test_swapped_rows_are_reordered() -> None:
    chain(5)
    tamper("UPDATE audit_auditentry SET number = -number WHERE number IN (2, 3)")
    tamper("UPDATE audit_auditentry SET number = 5 + number WHERE number IN (-2, -3)")
    assert "Row 2" in broken()
    assert "reordered" in broken()


def test_a_row_put_between_is_found() -> None:
    rows = chain(4)
    tamper("UPDATE audit_auditentry SET number = -number WHERE number > 2")
    tamper("UPDATE audit_auditentry SET number = 1 - number WHERE number < 0")
    (forged,) = record()
    tamper(
        "UPDATE audit_auditentry SET number = 3, previous_hash = %s, hash = %s WHERE id = %s",
        [rows[1].hash, "a" * 64, forged.pk],
    )
    assert f"Row 3 (id {forged.pk})" in broken()


def test_a_row_before_the_first_one_is_found() -> None:
    chain(2)
    (forged,) = record()
    tamper("UPDATE audit_auditentry SET number = -7 WHERE id = %s", [forged.pk])
    assert broken() == "Row -7 stands before the first one."


def test_broken_json_names_the_row_instead_of_a_traceback() -> None:
    chain(3)
    digits = "9" * 5000
    cast = "::jsonb" if connection.vendor == "postgresql" else ""
    tamper(f"UPDATE audit_auditentry SET after = %s{cast} WHERE number = 2", [digits])  # noqa: S608
    assert broken() == "Row 2 cannot be read: it was changed."


def test_an_unsealed_row_older_than_a_minute_is_named() -> None:
    chain(2)
    (late,) = record()
    assert checked().startswith("2 rows")
    tamper("UPDATE audit_auditentry SET at = '2020-01-01 00:00:00' WHERE id = %s", [late.pk])
    assert f"The row with id {late.pk}, written at 2020-01-01 00:00:00 UTC" in broken()


def test_a_head_is_given_as_it_stands_in_the_log() -> None:
    for text in ("", "1", "0:" + "a" * 64, "1:xyz", "1:" + "A" * 64, "9" * 30 + ":" + "a" * 64):
        assert "NUMBER:HASH" in broken("--expect", text)


def test_a_dead_database_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(_rows: object) -> None:
        raise DatabaseError("host=10.0.0.1 password=x")

    monkeypatch.setattr(verify, "rows_of", dead)
    assert broken() == "The database does not answer; nothing was checked."


def test_the_head_goes_to_the_log() -> None:
    rows = chain(2)
    with structlog.testing.capture_logs() as logs:
        head()
    (line,) = logs
    assert (line["event"], line["number"], line["hash"]) == ("audit_head", 2, rows[1].hash)
    assert checked("--head").strip() == f"2:{rows[1].hash}"


def test_a_person_who_is_deleted_stays_in_the_hash(admin: User) -> None:
    cluster = make_cluster()
    entry = entry_record(actor=admin, action="clusters.cluster.create", obj=cluster)
    pk = admin.pk
    seal()
    admin.grants.all().delete()
    admin.delete()
    entry.refresh_from_db()
    assert entry.actor_id == pk
    assert checked().startswith("1 rows")


def test_beat_seals_at_least_every_ten_seconds(settings: Any) -> None:
    plan = settings.CELERY_BEAT_SCHEDULE["audit.seal"]
    assert (plan["task"], plan["schedule"] <= 10) == (seal.name, True)
    assert settings.CELERY_BEAT_SCHEDULE["audit.head"]["task"] == head.name


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TEXT, st.dictionaries(TEXT, JSON), st.dictionaries(TEXT, JSON))
def test_whatever_is_written_verifies(
    text: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    entry = entry_build(actor=None, action="any", obj=make_cluster("web"), reason=text)
    entry.before, entry.after = before, after
    entry.save(force_insert=True)
    worker.seal()
    assert "all as they were sealed" in checked()


@pytest.mark.django_db(transaction=True)
def test_sealers_side_by_side_give_no_number_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BATCH", 20)
    record(400)
    start, failures = threading.Barrier(4), []

    def run() -> None:
        try:
            start.wait()
            while AuditEntry.objects.unsealed().exists():
                worker.seal()
        except Exception as error:  # noqa: BLE001  told by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    numbers = AuditEntry.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 401))
    assert checked().startswith("400 rows")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_row_committed_late_gets_a_later_number() -> None:
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                record(reason="slow")
                written.set()
                assert go_on.wait(20)
        finally:
            connection.close()

    make_cluster("web")
    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(20)
    record(reason="quick")
    worker.seal()
    go_on.set()
    thread.join()
    worker.seal()
    found = AuditEntry.objects.order_by("number").values_list("reason", flat=True)
    assert list(found) == ["quick", "slow"]
    assert AuditEntry.objects.get(number=1).pk > AuditEntry.objects.get(number=2).pk
    assert checked().startswith("2 rows")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a trigger of PostgreSQL")
@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_auditentry SET reason = 'x'", "DELETE FROM audit_auditentry"],
)
@pytest.mark.parametrize("is_sealed", [True, False])
def test_postgresql_itself_refuses_to_change_an_entry(statement: str, is_sealed: bool) -> None:
    record()
    if is_sealed:
        worker.seal()
    refused = pytest.raises(DatabaseError, match="never changed")
    with connection.cursor() as cursor, refused, transaction.atomic():
        cursor.execute(statement)
    worker.seal()
    assert checked().startswith("1 rows")
