"""One request of the privilege table, undone at once."""

from __future__ import annotations

import json
from typing import Any, Final

from django.db import connection, transaction
from django.http import HttpResponseBase

from bmcportal.tests.privileges.rows import Row
from bmcportal.tests.privileges.world import World, record_digest

DOORS: Final = ("/account/sign-in", "/admin/login/")


class Writes:
    """Sees whether anything was written, so that the record is compared only then."""

    seen = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.seen |= not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK"))
        return execute(sql, params, many, context)


class Asked:
    """One request, and whether the record is as it was. Undone at once."""

    def __init__(
        self, world: World, row: Row, who: str, headers: dict[str, str] | None = None,
        **options: bool,
    ) -> None:  # fmt: skip
        path, body = world.path(row.path, who), world.body(row.body, who)
        client = world.client("" if headers else who, **options)
        more: dict[str, Any] = {"data": body or {}} if row.method == "POST" else {}
        if path.startswith("/api/") and row.body is not None:
            more = {"data": json.dumps(body), "content_type": "application/json"}
        writes = Writes()
        with transaction.atomic():
            with connection.execute_wrapper(writes):
                self.answer: HttpResponseBase = getattr(client, row.method.lower())(
                    path, **more, headers=headers
                )
            self.is_unchanged = not writes.seen or record_digest() == world.record
            transaction.set_rollback(True)
        self.status = self.answer.status_code
        self.is_stranger = not headers and who in ("nobody", "disabled")
        self.goes_to_the_door = self.answer.get("Location", "").startswith(DOORS)

    @property
    def is_refused(self) -> bool:
        return self.status in (401, 403, 404, 405, 409, 422) or (
            self.is_stranger and self.goes_to_the_door
        )
