"""Every path and method of the REST API against everybody. A path without a row fails."""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.urls import URLPattern, URLResolver
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken, User
from apps.accounts.services import api_token_create
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.core.testing import api_client, make_profile, make_rack, make_server, make_site
from apps.jobs.services import job_create
from bmcportal import api_urls

pytestmark = pytest.mark.django_db

CAST: Final = ("admin", "operator", "user", "readonly", "outsider", "nobody")
NAME: Final = {"name": "new"}
CHANGE: Final = {"model": "R640"}

# Method, path, body, then the answers to: admin, operator, user, readonly, outsider, nobody.
# The outsider is operator of another cluster; sites and racks are seen by every operator.
TABLE: Final[list[tuple[str, str, Any, tuple[int, int, int, int, int, int]]]] = [
    ("GET", "sites/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "sites/", NAME, (201, 403, 403, 403, 403, 401)),
    ("GET", "sites/{site}", None, (200, 200, 200, 200, 200, 401)),
    ("PUT", "sites/{site}", NAME, (200, 403, 403, 403, 403, 401)),
    ("PATCH", "sites/{site}", NAME, (200, 403, 403, 403, 403, 401)),
    ("DELETE", "sites/{site}", None, (409, 403, 403, 403, 403, 401)),
    ("DELETE", "sites/{empty_site}", None, (204, 403, 404, 404, 403, 401)),
    ("GET", "clusters/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "clusters/", NAME, (201, 403, 403, 403, 403, 401)),
    ("GET", "clusters/{cluster}", None, (200, 200, 200, 200, 404, 401)),
    ("PUT", "clusters/{cluster}", NAME, (200, 403, 403, 403, 404, 401)),
    ("PATCH", "clusters/{cluster}", NAME, (200, 403, 403, 403, 404, 401)),
    ("DELETE", "clusters/{cluster}", None, (409, 403, 403, 403, 404, 401)),
    ("GET", "servers/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "servers/", "new", (201, 201, 403, 403, 422, 401)),
    ("GET", "servers/{server}", None, (200, 200, 200, 200, 404, 401)),
    ("PUT", "servers/{server}", "new", (200, 200, 403, 403, 404, 401)),
    ("PATCH", "servers/{server}", CHANGE, (200, 200, 403, 403, 404, 401)),
    ("DELETE", "servers/{server}", None, (204, 204, 403, 403, 404, 401)),
    ("POST", "servers/{server}/read", {}, (202, 202, 202, 202, 404, 401)),
    ("GET", "servers/{server}/history", None, (200, 200, 200, 200, 404, 401)),
    ("POST", "servers/bulk", "news", (201, 201, 403, 403, 422, 401)),
    ("PATCH", "servers/bulk", "changes", (200, 200, 403, 403, 422, 401)),
    ("POST", "servers/{server}/power/on", {}, (202, 202, 202, 403, 404, 401)),
    ("POST", "servers/{server}/power/soft_off", {}, (202, 202, 202, 403, 404, 401)),
    ("POST", "servers/{server}/power/off", {}, (202, 202, 403, 403, 404, 401)),
    ("POST", "servers/{server}/power/cycle", {}, (202, 202, 403, 403, 404, 401)),
    ("POST", "servers/{server}/power/reset", {}, (202, 202, 403, 403, 404, 401)),
    ("POST", "servers/{server}/power/nmi", {}, (202, 202, 403, 403, 404, 401)),
    ("POST", "servers/{server}/identify", {}, (202, 202, 202, 403, 404, 401)),
    ("GET", "racks/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "racks/", "rack", (201, 403, 403, 403, 403, 401)),
    ("GET", "racks/{rack}", None, (200, 200, 200, 200, 200, 401)),
    ("PUT", "racks/{rack}", "rack", (200, 403, 403, 403, 403, 401)),
    ("PATCH", "racks/{rack}", NAME, (200, 403, 403, 403, 403, 401)),
    ("DELETE", "racks/{rack}", None, (409, 403, 403, 403, 403, 401)),
    ("DELETE", "racks/{empty_rack}", None, (204, 403, 404, 404, 403, 401)),
    ("GET", "bmcs/", None, (200, 200, 200, 200, 200, 401)),
    ("GET", "bmcs/{bmc}", None, (200, 200, 200, 200, 404, 401)),
    ("GET", "profiles/", None, (200, 403, 403, 403, 403, 401)),
    ("POST", "profiles/", "profile", (201, 403, 403, 403, 403, 401)),
    ("GET", "profiles/{profile}", None, (200, 403, 403, 403, 403, 401)),
    ("PUT", "profiles/{profile}", "profile", (200, 403, 403, 403, 403, 401)),
    ("PATCH", "profiles/{profile}", NAME, (200, 403, 403, 403, 403, 401)),
    ("DELETE", "profiles/{profile}", None, (204, 403, 403, 403, 403, 401)),
    ("GET", "jobs/", None, (200, 200, 200, 200, 200, 401)),
    ("GET", "jobs/{job}", None, (200, 200, 200, 200, 404, 401)),
    ("GET", "jobs/{job}/targets", None, (200, 200, 200, 200, 404, 401)),
    ("POST", "jobs/{job}/stop", {}, (200, 200, 403, 403, 404, 401)),
    ("POST", "auth/token", {}, (422,) * 6),
    ("POST", "auth/token", "wrong", (401,) * 6),
    ("POST", "auth/token/refresh", {"refresh_token": "x"}, (401,) * 6),
    ("POST", "auth/token/revoke", {"refresh_token": "x"}, (401,) * 6),
    ("GET", "tokens/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "tokens/", NAME, (201, 201, 201, 201, 201, 401)),
    ("POST", "tokens/", {"name": "new", "role": "operator"}, (201, 201, 422, 422, 201, 401)),
    ("GET", "tokens/{token}", None, (200, 404, 404, 404, 404, 401)),
    ("DELETE", "tokens/{token}", None, (204, 404, 404, 404, 404, 401)),
    ("GET", "audit/", None, (200, 403, 403, 403, 403, 401)),
    ("GET", "schema/", None, (200, 200, 200, 200, 200, 401)),
    # A page for people, and no token opens it: who is not signed in is sent to sign in.
    ("GET", "docs/", None, (200, 200, 200, 200, 200, 302)),
]

READONLY_MAY: Final = ("servers/{server}/read", "tokens/")


@pytest.fixture
def world(web: Cluster, admin: User) -> dict[str, Any]:
    site, rack = make_site("fra"), make_rack("A01")
    server = make_server(cluster=web, rack=rack, site=site, address="10.0.0.1")
    job = job_create(kind="power", params={"action": "off"}, targets=[server], actor=admin)
    api_token_create(user=admin, days=1, name="hers")
    new = {
        "name": "new",
        "cluster": web.pk,
        "place": {"site": site.pk},
        "bmc": {"address": "10.0.0.2"},
    }
    return {
        "site": site.pk,
        "empty_site": make_site("empty").pk,
        "cluster": web.pk,
        "server": server.pk,
        "rack": rack.pk,
        "empty_rack": make_rack().pk,
        "bmc": server.bmc_id,
        "profile": make_profile().pk,
        "job": job.pk,
        "token": ApiToken.objects.get(user=admin).pk,
        "bodies": {
            "new": new,
            "wrong": {"username": "admin", "password": "not hers"},
            "news": [new],
            "changes": [{"id": server.pk, "model": "R640"}],
            "rack": {"name": "A02", "site": site.pk},
            "profile": {"name": "n", "username": "u", "password": "p", "networks": ["10.0.0.0/8"]},
        },
    }


@pytest.mark.parametrize("who", CAST)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}")
def test_everybody_gets_what_their_role_gives(
    row: tuple[str, str, Any, tuple[int, ...]],
    who: str,
    world: dict[str, Any],
    request: pytest.FixtureRequest,
) -> None:
    method, path, body, expected = row
    client = api_client(None if who == "nobody" else request.getfixturevalue(who))
    told = world["bodies"][body] if isinstance(body, str) else body
    answer = getattr(client, method.lower())(f"/api/{path.format(**world)}", told)
    assert answer.status_code == expected[CAST.index(who)], answer.content


@pytest.mark.parametrize("row", TABLE[:-1], ids=lambda row: f"{row[0]} {row[1]}")
def test_a_token_with_a_ceiling_gets_no_more_than_that_role(
    row: tuple[str, str, Any, tuple[int, ...]], world: dict[str, Any], admin: User
) -> None:
    method, path, body, expected = row
    secret = api_token_create(user=admin, days=366, role=Role.READONLY)
    client = APIClient(headers={"Authorization": f"Token {secret}"})
    told = world["bodies"][body] if isinstance(body, str) else body
    answer = getattr(client, method.lower())(f"/api/{path.format(**world)}", told)
    readonly, found = expected[CAST.index("readonly")], answer.status_code
    # An admin's reach is wider than one cluster: it sees what the readonly person does not, and
    # may not touch it.
    assert found == readonly or (readonly, found) == (404, 200 if method == "GET" else 403)
    assert method == "GET" or found >= 400 or path in READONLY_MAY


def paths(patterns: list[Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in patterns:
        if isinstance(one, URLResolver):
            found |= paths(one.url_patterns, f"{prefix}{one.pattern}")
        elif isinstance(one, URLPattern):
            found[f"{prefix}{one.pattern}"] = one.callback
    return found


def test_every_path_and_method_has_a_row() -> None:
    rows = {(method, path.split("/")[0], path.count("/")) for method, path, _body, _who in TABLE}
    missing = []
    for path, view in paths(api_urls.urlpatterns).items():
        if not path.startswith("api/"):
            continue  # what answers for every other path
        inner = path.removeprefix("api/")
        methods = getattr(view, "cls", None) and view.cls.http_method_names
        for method in {"get"} if methods is None else set(methods) - {"options", "head"}:
            is_there = (method.upper(), inner.split("/")[0], inner.count("/")) in rows
            if hasattr(getattr(view, "cls", object), method) and not is_there:
                missing.append(f"{method.upper()} {path}")
    assert not missing
    assert len(paths(api_urls.urlpatterns)) > 20
