"""One order of locks for all who write many rows: no two wait for each other in a circle."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet


def rows_lock(rows: QuerySet[Any]) -> list[Any]:
    """Lock these rows for an update in the order of their keys; return the keys.

    Call it in the transaction, before an UPDATE of several rows: an UPDATE alone takes them as it
    finds them, and PostgreSQL ends one of two that cross. Of several tables take the BMCs first,
    then what is read of them. Rows that merely point at these (foreign keys) are not held up.
    """
    locked = rows.select_for_update(of=("self",), no_key=True)
    return list(locked.order_by("pk").values_list("pk", flat=True))
