"""A foreign id is answered exactly as one that is not there: in path, query, filter and body.

The outsider is operator of "elsewhere"; what is foreign to them belongs to "web".
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bmcportal.tests.privileges import AREAS
from bmcportal.tests.privileges.rows import Row
from bmcportal.tests.privileges.world import World

pytestmark = pytest.mark.django_db

MISSING: Final = 987_654_321
MISSING_UUID: Final = "00000000-0000-4000-8000-0000000000ff"
HX: Final = {"HX-Request": "true"}
CHANGING: Final = re.compile(
    r'nonce[-="\w]+|name="csrfmiddlewaretoken" value="\w+"|"csrf(?:_t|T)oken":"\w+"|csrf-token"'
    r' content="\w+"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.+]+'
)
PATHS: Final = [
    row for area in AREAS for row in area.rows if row.answers.outsider == 404 and "{" in row.path
]

# Method, path, body. What stands in braces is foreign, then missing.
NEW: Final = {"name": "n-1", "place": {"site": "{site!}"}, "bmc": {"address": "10.9.0.1"}}
FORM: Final = {
    "name": "n-1",
    "site": "{site!}",
    "address": "10.9.0.1",
    "port": 623,
    "suite": "auto",
}
OWN: Final = "{elsewhere_server!}"
ASKED: Final[list[tuple[str, str, Any]]] = [
    ("GET", "servers/?cluster={cluster}", None),
    ("GET", "servers/?cluster={cluster}&sort=-cluster", None),
    ("GET", "servers/filter?cluster={cluster}", None),
    ("GET", "servers/?selection={foreign_selection}", None),
    ("POST", "servers/selection", {"ids": "{server}"}),
    ("POST", "servers/selection", {"selection": "{foreign_selection}", "act": "clear"}),
    ("POST", "servers/bulk/read", {"selection": "{foreign_selection}"}),
    ("GET", "servers/bulk/edit?selection={foreign_selection}", None),
    ("GET", "servers/bulk/delete?selection={foreign_selection}", None),
    ("POST", "servers/add", FORM | {"cluster": "{cluster}"}),
    ("POST", "servers/add", FORM | {"cluster": "{cluster}", "profile": "{closed_profile}"}),
    ("POST", f"servers/{OWN}/edit", FORM | {"cluster": "{cluster}"}),
    ("POST", f"servers/{OWN}/edit", FORM | {"profile": "{closed_profile}"}),
    ("POST", f"servers/{OWN}/orders/{{job}}/stop", {}),
    ("POST", "connection-tests/", FORM | {"profile": "{closed_profile}"}),
    ("GET", "api/servers/?cluster={cluster}", None),
    ("GET", "api/servers/?cluster={cluster}&ordering=-name", None),
    ("GET", "api/jobs/?server={server}", None),
    ("POST", "api/servers/", NEW | {"cluster": "{cluster}"}),
    ("POST", "api/servers/bulk", [NEW | {"cluster": "{cluster}"}]),
    ("PATCH", "api/servers/bulk", [{"id": "{server}", "model": "x"}]),
    ("PATCH", "api/servers/bulk", [{"id": OWN, "model": "x"}, {"id": "{server}", "model": "x"}]),
    ("PATCH", f"api/servers/{OWN}", {"cluster": "{cluster}"}),
    ("PATCH", f"api/servers/{OWN}", {"bmc": {"profile": "{closed_profile}"}}),
    ("PUT", f"api/servers/{OWN}", NEW | {"cluster": "{cluster}"}),
]
# What people type, and what nobody has.
TYPED: Final = [
    ("web-1", "zzz-1"),
    ("10.0.0.1", "10.0.0.250"),
    ("SN-77", "SN-99"),
    ("R999", "R998"),
    ("payroll", "pantry"),
]
SEARCHES: Final = [
    *(f"{path}?{name}={{}}" for name in ("q", "nodes", "tag", "model")
      for path in ("servers/", "api/servers/")),
    "api/bmcs/?q={}",
    "servers/filter?q={}",
]  # fmt: skip


class Told:
    """An answer without what changes from one request to the next."""

    def __init__(self, world: World, method: str, path: str, body: Any, also: list[str],
                 headers: dict[str, str]) -> None:  # fmt: skip
        client = world.client("outsider")
        more: dict[str, Any] = {"data": body or {}} if method == "POST" else {}
        if path.startswith("/api/") and body is not None:
            more = {"data": json.dumps(body), "content_type": "application/json"}
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            answer = getattr(client, method.lower())(path, **more, headers=headers)
            transaction.set_rollback(True)
        known = re.compile(
            "|".join(rf"(?:(?<![\w.])|(?<=%3D)){re.escape(one)}(?!\w)" for one in also)
        )
        self.status = answer.status_code
        self.text = known.sub("ID", CHANGING.sub("", answer.content.decode()))
        self.headers = {
            name: known.sub("ID", CHANGING.sub("", value))
            for name, value in answer.headers.items()
            if name not in ("Content-Length", "X-Request-ID")
        }
        self.queries = len(queries)


def both(
    world: World, method: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[Told, Told]:
    """Ask for what is foreign, then for what is missing."""
    names = re.findall(r"\{(\w+)\}", path + json.dumps(body))
    assert names
    foreign = {name: str(world.ids[name]) for name in names}
    missing = {
        name: str(MISSING) if value.isdecimal() else MISSING_UUID for name, value in foreign.items()
    }
    also = [*foreign.values(), *missing.values()]
    told = [
        Told(world, method, "/" + filled(path, ids, world), filled(body, ids, world), also,
             headers or {})
        for ids in (foreign, missing)
    ]  # fmt: skip
    return told[0], told[1]


def filled(value: Any, ids: dict[str, str], world: World) -> Any:
    """Put ids in: `{name}` from `ids`, `{name!}` as it is in the world."""
    if isinstance(value, dict):
        return {name: filled(one, ids, world) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, ids, world) for one in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    text = re.sub(r"\{(\w+)!\}", lambda found: str(world.ids[found[1]]), value)
    text = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], text)
    return int(text) if text.isdecimal() else text


def same(foreign: Told, missing: Told) -> None:
    assert foreign.status == missing.status
    assert foreign.text == missing.text
    assert foreign.headers == missing.headers
    assert abs(foreign.queries - missing.queries) <= 1


@pytest.mark.parametrize("headers", [{}, HX], ids=["page", "fragment"])
@pytest.mark.parametrize("row", PATHS, ids=lambda row: f"{row.method} {row.path}")
def test_a_foreign_path_is_a_missing_path(row: Row, headers: dict[str, str], world: World) -> None:
    body = world.body(row.body, "outsider") if row.body is not None else None
    foreign, missing = both(world, row.method, row.path, body, headers)
    assert missing.status == 404
    same(foreign, missing)


@pytest.mark.parametrize("headers", [{}, HX], ids=["page", "fragment"])
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_a_foreign_id_in_query_or_body_is_a_missing_id(
    asked: tuple[str, str, Any], headers: dict[str, str], world: World
) -> None:
    same(*both(world, *asked, headers))


@pytest.mark.parametrize("typed", TYPED, ids=str)
@pytest.mark.parametrize("search", SEARCHES)
def test_words_of_a_foreign_server_find_nothing(
    search: str, typed: tuple[str, str], world: World
) -> None:
    foreign, missing = (
        Told(world, "GET", "/" + search.format(word), None, list(typed), {}) for word in typed
    )
    same(foreign, missing)


@pytest.mark.parametrize("path", ["servers/", "api/servers/", "api/jobs/", "api/bmcs/", "clusters/",
                                  "api/clusters/", "racks/", "servers/filter"])  # fmt: skip
def test_no_list_names_what_is_foreign(path: str, world: World) -> None:
    told = Told(world, "GET", f"/{path}", None, ["no-such-word"], {})
    assert told.status == 200
    for word in ("web-1", "web-2", "10.0.0.1", "SN-77", "R999", "payroll", "of web"):
        assert word not in told.text


def test_metrics_name_no_server_and_no_cluster(world: World) -> None:
    assert world.client("outsider").get("/metrics").status_code == 403
    told = world.client("admin").get("/metrics").content.decode()
    assert "bmcportal_servers" in told
    for word in ("web", "db-1", "10.0.0", "SN-77", "operator", "outsider"):
        assert word not in told
