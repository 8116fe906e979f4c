"""Paths of the REST API."""

from __future__ import annotations

from typing import Any, Final

from bmcportal.tests.privileges.rows import Area, rows

NAME: Final = {"name": "new"}
CHANGE: Final = {"model": "R640"}


def area(title: str, *lines: tuple[Any, ...], told: str = "") -> Area:
    return Area(f"REST API: {title}", rows(*lines, prefix="api/"), told, is_api=True)


# Method, path, body, then the answers to: admin, operator, user, readonly, outsider, nobody.
SITES: Final = area(
    "sites",
    ("GET", "sites/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "sites/", NAME, (201, 403, 403, 403, 403, 401)),
    ("GET", "sites/{site}", None, (200, 200, 200, 200, 200, 401)),
    ("PUT", "sites/{site}", NAME, (200, 403, 403, 403, 403, 401)),
    ("PATCH", "sites/{site}", NAME, (200, 403, 403, 403, 403, 401)),
    ("DELETE", "sites/{site}", None, (409, 403, 403, 403, 403, 401)),
    ("DELETE", "sites/{empty_site}", None, (204, 403, 404, 404, 403, 401)),
)

CLUSTERS: Final = area(
    "clusters",
    ("GET", "clusters/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "clusters/", NAME, (201, 403, 403, 403, 403, 401)),
    ("GET", "clusters/{cluster}", None, (200, 200, 200, 200, 404, 401)),
    ("PUT", "clusters/{cluster}", NAME, (200, 403, 403, 403, 404, 401)),
    ("PATCH", "clusters/{cluster}", NAME, (200, 403, 403, 403, 404, 401)),
    ("DELETE", "clusters/{cluster}", None, (409, 403, 403, 403, 404, 401)),
)

SERVERS: Final = area(
    "servers",
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
)

RACKS: Final = area(
    "racks",
    ("GET", "racks/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "racks/", "rack", (201, 403, 403, 403, 403, 401)),
    ("GET", "racks/{rack}", None, (200, 200, 200, 200, 200, 401)),
    ("PUT", "racks/{rack}", "rack", (200, 403, 403, 403, 403, 401)),
    ("PATCH", "racks/{rack}", NAME, (200, 403, 403, 403, 403, 401)),
    ("DELETE", "racks/{rack}", None, (409, 403, 403, 403, 403, 401)),
    ("DELETE", "racks/{empty_rack}", None, (204, 403, 404, 404, 403, 401)),
)

BMCS: Final = area(
    "BMCs",
    ("GET", "bmcs/", None, (200, 200, 200, 200, 200, 401)),
    ("GET", "bmcs/{bmc}", None, (200, 200, 200, 200, 404, 401)),
)

PROFILES: Final = area(
    "credential profiles",
    ("GET", "profiles/", None, (200, 403, 403, 403, 403, 401)),
    ("POST", "profiles/", "profile", (201, 403, 403, 403, 403, 401)),
    ("GET", "profiles/{profile}", None, (200, 403, 403, 403, 403, 401)),
    ("PUT", "profiles/{profile}", "profile", (200, 403, 403, 403, 403, 401)),
    ("PATCH", "profiles/{profile}", NAME, (200, 403, 403, 403, 403, 401)),
    ("DELETE", "profiles/{profile}", None, (204, 403, 403, 403, 403, 401)),
)

JOBS: Final = area(
    "jobs",
    ("GET", "jobs/", None, (200, 200, 200, 200, 200, 401)),
    ("GET", "jobs/{job}", None, (200, 200, 200, 200, 404, 401)),
    ("GET", "jobs/{job}/targets", None, (200, 200, 200, 200, 404, 401)),
    ("POST", "jobs/{job}/stop", {}, (200, 200, 403, 403, 404, 401)),
)

TOKENS: Final = area(
    "sign-in of scripts, and tokens",
    ("POST", "auth/token", {}, (422,) * 6),
    ("POST", "auth/token", "wrong", (401,) * 6),
    ("POST", "auth/token/refresh", {"refresh_token": "x"}, (401,) * 6),
    ("POST", "auth/token/revoke", {"refresh_token": "x"}, (401,) * 6),
    ("GET", "tokens/", None, (200, 200, 200, 200, 200, 401)),
    ("POST", "tokens/", NAME, (201, 201, 201, 201, 201, 401)),
    ("POST", "tokens/", {"name": "new", "role": "operator"}, (201, 201, 422, 422, 201, 401)),
    ("GET", "tokens/{token}", None, (200, 200, 200, 200, 200, 401)),
    ("GET", "tokens/{foreign_token}", None, (404, 404, 404, 404, 404, 401)),
    ("DELETE", "tokens/{token}", None, (204, 204, 204, 204, 204, 401)),
    ("DELETE", "tokens/{foreign_token}", None, (404, 404, 404, 404, 404, 401)),
    told="`auth/…` is open: name, password and code, or a refresh token, are the right.",
)

AUDIT: Final = area(
    "audit",
    ("GET", "audit/", None, (200, 403, 403, 403, 403, 401)),
)

DOCUMENT: Final = area(
    "the document",
    ("GET", "schema/", None, (200, 200, 200, 200, 200, 401)),
    ("GET", "docs/", None, (200, 200, 200, 200, 200, 302), "a page for people"),
    ("GET", "nothing/here", None, (404, 404, 404, 404, 404, 401)),
)

AREAS: Final = (SITES, CLUSTERS, SERVERS, RACKS, BMCS, PROFILES, JOBS, TOKENS, AUDIT, DOCUMENT)
