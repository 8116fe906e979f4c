"""Pages about people: the door, their own account, and what is open to machines."""

from __future__ import annotations

from typing import Final

from bmcportal.tests.privileges.rows import Area, area

# Method, path, body, then the answers to: admin, operator, user, readonly, outsider, nobody.
DOOR: Final[Area] = area(
    "Sign-in and one's own account",
    "",
    ("GET", "account/sign-in", None, (302, 302, 302, 302, 302, 200)),
    ("POST", "account/sign-in", {}, (302, 302, 302, 302, 302, 422)),
    ("POST", "account/sign-out", {}, (302, 302, 302, 302, 302, 302)),
    ("POST", "account/theme", {"theme": "dark"}, (303, 303, 303, 303, 303, 302)),
    ("POST", "language/", {"language": "en"}, (302, 302, 302, 302, 302, 302), "open: a cookie"),
)

MACHINES: Final[Area] = area(
    "Health and metrics",
    "`/healthz` and `/readyz` are open: they name parts of the portal, no address, no person and "
    "no server. `/metrics` goes beyond any cluster, so it is for people and tokens with a role "
    "everywhere; it holds totals, the names of sites and of worker processes.",
    ("GET", "healthz", None, (200, 200, 200, 200, 200, 200)),
    ("GET", "readyz", None, (200, 200, 200, 200, 200, 200), "503 while a part is missing"),
    ("GET", "metrics", None, (200, 403, 403, 403, 403, 401)),
)

AREAS: Final = (DOOR, MACHINES)
