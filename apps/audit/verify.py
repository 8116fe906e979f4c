"""Is the audit as it was written? Reads every sealed row once, in order, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.audit.chain import START, Head, Row, row_hash, rows_of
from apps.audit.models import AuditEntry, AuditHead
from apps.audit.selectors import LATE_SECONDS, unsealed_late

BATCH: Final = 5000
_UNREADABLE: Final = (ValueError, OverflowError, RecursionError)
"""What broken JSON and times raise on their way out of the database."""


class Broken(Exception):
    """The audit is not as it was written; the text names the first bad row and what is wrong."""


def audit_check(expected: list[Head]) -> Head:
    """Check all rows; return the last one. `expected` are heads from the log.

    :raises Broken:
    """
    wanted = {head.number: head.hash for head in expected}
    head = START
    for row in _sealed():
        head = Head(head.number + 1, _checked(row, head))
        if wanted.pop(head.number, head.hash) != head.hash:
            raise Broken(
                _("Row %(number)d is not the one that had this number in the log.")
                % {"number": head.number}
            )
    _check_end(head, min(wanted, default=0))
    _check_unsealed()
    return head


def _sealed() -> Iterator[Row]:
    """:raises Broken: a row cannot even be read."""
    start = -(2**63)
    while True:
        later = AuditEntry.objects.filter(number__gte=start).order_by("number")[:BATCH]
        try:
            rows = rows_of(later)
        except _UNREADABLE:
            yield from _sealed_singly(later)
            return
        yield from rows
        if len(rows) < BATCH:
            return
        start = (rows[-1].number or 0) + 1


def _sealed_singly(rows: QuerySet[AuditEntry]) -> Iterator[Row]:
    """Find the row that cannot be read."""
    for number in list(rows.values_list("number", flat=True)):
        try:
            (row,) = rows_of(AuditEntry.objects.filter(number=number))
        except _UNREADABLE:
            raise Broken(
                _("Row %(number)d cannot be read: it was changed.") % {"number": number}
            ) from None
        yield row


def _checked(row: Row, before: Head) -> str:
    """Return the hash of the row that follows `before`.

    :raises Broken:
    """
    number, told = before.number + 1, {"number": before.number + 1, "id": row.id}
    if row.number != number:
        if (row.number or 0) < number:
            raise Broken(_("Row %(n)s stands before the first one.") % {"n": row.number})
        raise Broken(
            _("Row %(number)d is missing: the next one has the number %(next)d.")
            % {"number": number, "next": row.number}
        )
    if row.previous_hash != before.hash:
        raise Broken(
            _(
                "Row %(number)d (id %(id)d) does not follow the row before it: rows were put in, "
                "taken out or reordered here."
            )
            % told
        )
    if row_hash(row, number, before.hash) != row.hash:
        raise Broken(_("Row %(number)d (id %(id)d) was changed after it was sealed.") % told)
    return row.hash


def _check_end(head: Head, next_wanted: int) -> None:
    """:raises Broken: rows were taken from the end."""
    noted = AuditHead.objects.first()
    known = noted.number if noted else 0
    # The sealer goes on meanwhile, so the note may be ahead of what was read, with all its rows.
    added = AuditEntry.objects.filter(number__gt=head.number, number__lte=known).count()
    if known - head.number > added or next_wanted:
        raise Broken(
            _("Row %(number)d is missing: rows were taken from the end.")
            % {"number": head.number + added + 1}
        )
    if noted and known == head.number and noted.hash != head.hash:
        raise Broken(_("Row %(number)d is not the last one sealed.") % {"number": head.number})


def _check_unsealed() -> None:
    if row := unsealed_late().order_by("pk").values_list("pk", "at").first():
        raise Broken(
            _(
                "The row with id %(id)d, written at %(at)s, is not sealed after %(n)d seconds: "
                "the sealer does not run, or its time was changed."
            )
            % {"id": row[0], "at": f"{row[1]:%Y-%m-%d %H:%M:%S} UTC", "n": LATE_SECONDS}
        )
