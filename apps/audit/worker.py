"""The sealer: rows get their number and the hash of the row before, in the order it sees them.

A row is numbered once it is committed, so a rollback leaves no gap, and a transaction that took
long gets a later number than those that overtook it.
"""

from __future__ import annotations

from typing import Final

import structlog
from django.db import connection, transaction

from apps.audit.chain import START, Head, row_hash, rows_of
from apps.audit.models import AuditEntry, AuditHead

log = structlog.get_logger(__name__)

BATCH: Final = 2000
MOST_BATCHES: Final = 50
_LOCK: Final = 0x41554449  # any number that nobody else locks in this database
_SEAL: Final = (
    "UPDATE audit_auditentry SET number = %s, previous_hash = %s, hash = %s"
    " WHERE id = %s AND number IS NULL"
)


def seal() -> int:
    """Seal what is committed, in batches; return how many rows. Another one at work: 0."""
    count = 0
    for _ in range(MOST_BATCHES):
        done = _seal_batch()
        count += done
        if done < BATCH:
            break
    return count


@transaction.atomic
def _seal_batch() -> int:
    if not _alone():
        return 0
    rows = rows_of(AuditEntry.objects.unsealed().order_by("pk")[:BATCH])
    if not rows:
        return 0
    head = head_find() or START
    seals: list[tuple[int, str, str, int]] = []
    for row in rows:
        previous, number = head.hash, head.number + 1
        head = Head(number, row_hash(row, number, previous))
        seals.append((number, previous, head.hash, row.id))
    with connection.cursor() as cursor:
        cursor.executemany(_SEAL, seals)
    AuditHead(pk=1, number=head.number, hash=head.hash).save()
    return len(rows)


def head_find() -> Head | None:
    """Return the last sealed row, as the sealer noted it or, without a note, as it stands there."""
    if noted := AuditHead.objects.first():
        return Head(noted.number, noted.hash)
    sealed = AuditEntry.objects.filter(number__isnull=False).order_by("-number")
    last = sealed.values_list("number", "hash").first()
    return Head(last[0] or 0, last[1]) if last else None


def head_log() -> None:
    """Write the head to the log: what is kept outside the database cannot be rewritten in it."""
    if head := head_find():
        log.info("audit_head", number=head.number, hash=head.hash)


def _alone() -> bool:
    """Take the sealer's lock to the end of the transaction.

    On SQLite the transaction is the lock: it began with BEGIN IMMEDIATE.
    """
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
