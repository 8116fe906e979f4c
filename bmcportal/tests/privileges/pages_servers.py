"""Pages about servers: their list, their power, their tests."""

from __future__ import annotations

from typing import Final

from bmcportal.tests.privileges.rows import Area, area

# Method, path, body, then the answers to: admin, operator, user, readonly, outsider, nobody.
SERVERS: Final[Area] = area(
    "Servers",
    "The list shows only servers in reach. Who is operator of another cluster only does not find "
    "those of this one.",
    ("GET", "", None, (302, 302, 302, 302, 302, 302), "goes on to the list"),
    ("GET", "servers/", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "servers/?cluster={cluster}", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "servers/filter", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "servers/add", None, (200, 200, 403, 403, 200, 302)),
    ("POST", "servers/add", "server_form", (303, 303, 403, 403, 422, 302), "into own clusters"),
    ("GET", "servers/{server}/", None, (200, 200, 200, 200, 404, 302)),
    ("GET", "servers/{server}/edit", None, (200, 200, 403, 403, 404, 302)),
    ("POST", "servers/{server}/edit", "server_form", (303, 303, 403, 403, 404, 302)),
    ("GET", "servers/{server}/delete", None, (200, 200, 403, 403, 404, 302)),
    ("POST", "servers/{server}/delete", "removed", (303, 303, 403, 403, 404, 302)),
    ("GET", "servers/{server}/history", None, (200, 200, 200, 200, 404, 302)),
    ("POST", "servers/{server}/read", {}, (303, 303, 303, 303, 404, 302)),
)

MANY: Final[Area] = area(
    "Many servers at once",
    "A selection and a saved view belong to one person. What is picked is looked up again in "
    "the reach of who asks.",
    ("POST", "servers/selection", {"act": "all"}, (303, 303, 303, 303, 303, 302)),
    (
        "POST",
        "servers/bulk/read",
        {"selection": "{selection}"},
        (303, 303, 303, 303, 303, 302),
        "of those picked, the ones in reach",
    ),
    ("POST", "servers/bulk/read", {"selection": "{foreign_selection}"}, (404,) * 5 + (302,)),
    ("GET", "servers/bulk/edit?selection={selection}", None, (200, 200, 403, 403, 200, 302)),
    ("POST", "servers/bulk/edit?selection={selection}", {}, (422, 422, 403, 403, 422, 302)),
    (
        "GET",
        "servers/bulk/edit?selection={foreign_selection}",
        None,
        (404, 404, 403, 403, 404, 302),
    ),
    ("GET", "servers/bulk/delete?selection={selection}", None, (200, 200, 403, 403, 200, 302)),
    ("POST", "servers/bulk/delete?selection={selection}", {}, (422, 422, 403, 403, 422, 302)),
    ("GET", "servers/views/", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "servers/views/add", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "servers/views/add", {"name": "mine"}, (303, 303, 303, 303, 303, 302)),
    ("GET", "servers/views/{view}/edit", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "servers/views/{view}/edit", {"name": "anew"}, (303, 303, 303, 303, 303, 302)),
    ("GET", "servers/views/{foreign_view}/edit", None, (404, 404, 404, 404, 404, 302)),
    ("POST", "servers/views/{view}/delete", {}, (303, 303, 303, 303, 303, 302)),
    ("POST", "servers/views/{foreign_view}/delete", {}, (404, 404, 404, 404, 404, 302)),
)

POWER: Final[Area] = area(
    "Power",
    "On, soft off and the identify light are for users, the rest for operators.",
    ("GET", "servers/{server}/power/on/", None, (200, 200, 200, 403, 404, 302)),
    ("POST", "servers/{server}/power/on/", "order", (303, 303, 303, 403, 404, 302)),
    ("GET", "servers/{server}/power/soft_off/", None, (200, 200, 200, 403, 404, 302)),
    ("POST", "servers/{server}/power/soft_off/", "order", (303, 303, 303, 403, 404, 302)),
    ("GET", "servers/{server}/power/off/", None, (200, 200, 403, 403, 404, 302)),
    ("POST", "servers/{server}/power/off/", "order", (303, 303, 403, 403, 404, 302)),
    ("GET", "servers/{server}/power/cycle/", None, (200, 200, 403, 403, 404, 302)),
    ("POST", "servers/{server}/power/cycle/", "order", (303, 303, 403, 403, 404, 302)),
    ("GET", "servers/{server}/power/reset/", None, (200, 200, 403, 403, 404, 302)),
    ("POST", "servers/{server}/power/reset/", "order", (303, 303, 403, 403, 404, 302)),
    ("GET", "servers/{server}/power/nmi/", None, (200, 200, 403, 403, 404, 302)),
    ("POST", "servers/{server}/power/nmi/", "order", (303, 303, 403, 403, 404, 302)),
    ("GET", "servers/{server}/power/explode/", None, (404, 404, 404, 404, 404, 302)),
    ("POST", "servers/{busy}/orders/{job}/stop", {}, (303, 303, 403, 403, 404, 302)),
    ("POST", "servers/{server}/identify", {}, (303, 303, 303, 403, 404, 302)),
    ("GET", "servers/{server}/accept-machine", None, (200, 200, 403, 403, 404, 302)),
    ("POST", "servers/{server}/accept-machine", {}, (422, 422, 403, 403, 404, 302)),
)

TESTS: Final[Area] = area(
    "Connection tests",
    "A test is seen by who ordered it and by operators of its server.",
    ("POST", "connection-tests/", "tested", (303, 303, 403, 403, 303, 302)),
    ("GET", "connection-tests/{test}/", None, (200, 200, 404, 404, 404, 302)),
    ("GET", "servers/{server}/test", None, (302, 302, 302, 302, 404, 302), "goes on to the server"),
    ("POST", "servers/{server}/test", {}, (303, 303, 403, 403, 404, 302)),
    ("POST", "servers/{server}/test/typed", "tested", (303, 303, 403, 403, 404, 302)),
)

AREAS: Final = (SERVERS, MANY, POWER, TESTS)
