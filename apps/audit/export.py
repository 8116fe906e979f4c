"""The audit as a file: CSV for spreadsheets, JSON lines with everything a hash covers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.db.models import QuerySet

from apps.audit.chain import Row, rows_of
from apps.audit.models import AuditEntry

MOST: Final = 100_000
BATCH: Final = 2000
COLUMNS: Final = (
    "number", "at", "actor_name", "action", "object_type", "object_id", "object_name", "reason",
    "before", "after", "request_id", "id", "actor_id", "previous_hash", "hash",
)  # fmt: skip
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula."""


def csv_blocks(entries: QuerySet[AuditEntry]) -> Iterator[bytes]:
    yield _csv([COLUMNS])
    for rows in _batches(entries):
        yield _csv([_cell(row[name]) for name in COLUMNS] for row in rows)


def jsonl_blocks(entries: QuerySet[AuditEntry]) -> Iterator[bytes]:
    for rows in _batches(entries):
        yield "".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows).encode()


FORMATS: Final[dict[str, tuple[str, Callable[[QuerySet[AuditEntry]], Iterator[bytes]]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_blocks),
    "jsonl": ("application/jsonl", jsonl_blocks),
}


def _batches(entries: QuerySet[AuditEntry]) -> Iterator[list[dict[str, Any]]]:
    """Read oldest first, a batch at a time: no cursor stays open while somebody reads slowly."""
    last = 0
    while rows := rows_of(entries.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield [_told(row) for row in rows]
        last = rows[-1].id


def _told(row: Row) -> dict[str, Any]:
    return {**row._asdict(), "at": row.at.isoformat(timespec="microseconds")}


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.startswith(_RUNS) else text


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
