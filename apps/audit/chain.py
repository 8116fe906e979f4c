"""The chain of the audit: what exactly the hash of a row covers, and what is wrong with a row.

`hash` is SHA-256 over one JSON array: the version of this form, then every column, with the number
and the hash of the row before among them. An array has one way to be written: names cannot be left
out, and no two values can run into each other. It is made of what the database gives back, since
that is all that can be compared later: PostgreSQL keeps microseconds, SQLite milliseconds, and
`jsonb` its own way of writing a number.

Without a key on purpose: whoever has an export can check it. What it shows, and what not, is in
docs/audit.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from apps.audit.models import AuditEntry

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Head:
    """A sealed row by its number and hash, as they stand in the log: `17:ab…`."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


START: Final = Head(0, "0" * 64)
"""What stands before the first row."""

_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Row(NamedTuple):
    """The columns of an entry, as the database gives them back."""

    id: int
    number: int | None
    previous_hash: str
    hash: str
    at: dt.datetime
    actor_id: int | None
    actor_name: str
    action: str
    object_type: str
    object_id: str
    object_name: str
    reason: str
    before: Any
    after: Any
    request_id: str


def rows_of(entries: QuerySet[AuditEntry]) -> list[Row]:
    return [Row(*values) for values in entries.values_list(*Row._fields)]


def row_hash(row: Row, number: int, previous_hash: str) -> str:
    """Return the hash that this row has in that place of the chain."""
    at = row.at.astimezone(dt.UTC).isoformat(timespec="microseconds")
    told = [VERSION, number, previous_hash, row.id, at, *row[5:]]
    return hashlib.sha256(_encode(told).encode()).hexdigest()
