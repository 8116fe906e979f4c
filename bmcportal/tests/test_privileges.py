"""Every path and method against everybody, and every way in. A path without a row fails."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from pytest_django import DjangoDbBlocker

from bmcportal import routing
from bmcportal.tests.privileges import AREAS
from bmcportal.tests.privileges.credentials import CAPPED, CREDENTIALS
from bmcportal.tests.privileges.rows import Area, Row
from bmcportal.tests.privileges.sockets import SOCKETS
from bmcportal.tests.privileges.world import EVERYBODY, World, record_digest, world_build
from bmcportal.tests.test_messages import ROOT, load

pytestmark = pytest.mark.django_db

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
DOORS: Final = ("/account/sign-in", "/admin/login/")
HOW: Final = "Add its row to a module of bmcportal/tests/privileges/ (see its docstring): "
TABLE: Final = [(area, row) for area in AREAS for row in area.rows]
UNSAFE: Final = [(area, row) for area, row in TABLE if row.method != "GET"]


def row_name(value: Any) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Row) else ""


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for all rows: what a request does is undone before the next."""
    with django_db_blocker.unblock(), transaction.atomic():
        # Thousands of refusals, each with its traceback, are not what this is about.
        logging.disable(logging.CRITICAL)
        yield world_build()
        logging.disable(logging.NOTSET)
        transaction.set_rollback(True)


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
        **options: Any,
    ) -> None:  # fmt: skip
        path, body = world.path(row.path, who), world.body(row.body, who)
        client = world.client("" if headers else who, raise_request_exception=True, **options)
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


@pytest.mark.parametrize(("area", "row"), TABLE, ids=row_name)
def test_everybody_is_answered_as_the_table_says(area: Area, row: Row, world: World) -> None:
    for who in EVERYBODY:
        expected = row.answers.nobody if who == "disabled" else getattr(row.answers, who)
        asked = Asked(world, row, who)
        assert asked.status == expected, (who, getattr(asked.answer, "content", b"")[:3000])
        if row.is_to_the_door and who in ("nobody", "disabled"):
            assert asked.goes_to_the_door
        if asked.is_refused:
            assert asked.is_unchanged, f"{who} was refused, and something changed all the same"


API: Final = [(area, row) for area, row in TABLE if area.is_api and row.answers.nobody == 401]


@pytest.mark.parametrize(("area", "row"), API, ids=row_name)
def test_every_credential_gives_what_its_person_may(area: Area, row: Row, world: World) -> None:
    for credential in CREDENTIALS:
        for who in world.people if credential.is_good else ("admin",):
            asked = Asked(world, row, who, world.credentials[credential.name, who])
            is_good = credential.is_good and who != "disabled"
            expected = getattr(row.answers, who) if is_good else 401
            assert asked.status == expected, (credential.name, who)
            assert asked.is_unchanged or not asked.is_refused, (credential.name, who)


READ_TOKEN_WRITES: Final = (
    "api/servers/{server}/read", "api/tokens/", "api/tokens/{token}", "api/jobs/{job}/stop",
)  # fmt: skip
"""What people do to what is their own, and a reading of a server they see."""


@pytest.mark.parametrize(("area", "row"), API, ids=row_name)
def test_a_token_for_reading_changes_nothing(area: Area, row: Row, world: World) -> None:
    for who in world.people:
        asked = Asked(world, row, who, world.credentials[CAPPED.name, who])
        if who == "disabled":
            assert asked.status == 401
        elif row.method != "GET":
            assert asked.is_refused or asked.status == 404 or row.path in READ_TOKEN_WRITES
            assert asked.is_unchanged or not asked.is_refused


@pytest.mark.parametrize(("area", "row"), UNSAFE, ids=row_name)
def test_nothing_is_changed_without_the_token_of_a_form(area: Area, row: Row, world: World) -> None:
    asked = Asked(world, row, "admin", enforce_csrf_checks=True)
    # Without a session there is nothing to forge: who signs in here sends what only they know.
    assert asked.status in (403, 404) or row.path.startswith("api/auth/"), asked.status
    assert asked.is_unchanged


# ------------------------------------------------------------------ nothing is left out


def routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for one in patterns:
        route = prefix + str(one.pattern).removeprefix("^" if prefix else "")
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, route)
        elif isinstance(one, URLPattern):
            yield route


def test_every_path_has_a_row(world: World) -> None:
    known = set()
    for _area, row in TABLE:
        path = world.path(row.path, "admin").partition("?")[0]
        try:
            known.add(resolve(path).route)
        except Resolver404:
            pytest.fail(f"a row about a path that is not there: {row.path}")
    there = set(routes(get_resolver().url_patterns))
    assert len(there) > 100
    assert not there - known, HOW + ", ".join(sorted(there - known))


def template_of(row: Row) -> str:
    """Return the path without what distinguishes rows about one path."""
    return re.sub(r"\{\w+\}", "*", row.path.partition("?")[0])


BY_PATH: Final[dict[str, list[Row]]] = {}
for _area, _row in TABLE:
    BY_PATH.setdefault(template_of(_row), []).append(_row)


@pytest.mark.parametrize("path", BY_PATH)
def test_every_method_without_a_row_is_refused(path: str, world: World) -> None:
    known = {row.method for row in BY_PATH[path]}
    row = BY_PATH[path][0]
    for method in sorted(METHODS - known):
        asked = Asked(world, Row(method, row.path, row.answers), "admin")
        # Django admin shows its pages to POST as it does to GET; others send on whoever is signed
        # in before they look at the method.
        is_page = method == "POST" and path.startswith("admin/")
        as_known = row.answers.admin if is_page or row.answers.admin == 302 else 405
        assert asked.status in (401, 403, 404, 405, as_known), f"{HOW}{method} {path}"
        assert asked.is_unchanged, f"{HOW}{method} {path}"


def test_every_socket_has_a_row() -> None:
    there = {str(one.pattern) for one in routing.routes}
    assert there == {one.path for one in SOCKETS}, HOW + "sockets.py"


def test_the_document_is_written_from_the_table() -> None:
    tool = load(ROOT / "deploy" / "privileges.py")
    told = (ROOT / "docs" / "privileges.md").read_text(encoding="utf-8")
    assert told == tool.text(), "run: python deploy/privileges.py"
