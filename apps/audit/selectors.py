from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from apps.audit.models import AuditEntry
from apps.core.dbtime import now_plus

PAGE: Final = 100
LATE_SECONDS: Final = 60
"""A row that is not sealed by then: the sealer does not run."""


@dataclass(frozen=True, slots=True)
class EntriesPage:
    """A hundred entries, newest first. Pages are found by ids, not by counting rows before them."""

    entries: list[AuditEntry]
    older: int | None
    """Ask for what is older than this id; None: there is nothing older."""
    newer: int | None


def entries_page(rows: QuerySet[AuditEntry], older: int | None, newer: int | None) -> EntriesPage:
    """Return the newest entries, or those next to the id of a page before."""
    if newer is not None:
        found = list(rows.filter(pk__gt=newer).order_by("pk")[: PAGE + 1])
        entries, has_newer, has_older = found[:PAGE][::-1], len(found) > PAGE, True
    else:
        held = rows if older is None else rows.filter(pk__lt=older)
        found = list(held.order_by("-pk")[: PAGE + 1])
        entries, has_newer, has_older = found[:PAGE], older is not None, len(found) > PAGE
    if not entries:
        return EntriesPage([], None, None)
    return EntriesPage(
        entries,
        entries[-1].pk if has_older else None,
        entries[0].pk if has_newer else None,
    )


def unsealed_late() -> QuerySet[AuditEntry]:
    """Return the rows that should have their number by now."""
    return AuditEntry.objects.unsealed().filter(at__lt=now_plus(-LATE_SECONDS))
