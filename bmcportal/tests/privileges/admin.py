"""Django admin: what each model there allows to admins. Nobody else gets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bmcportal.tests.privileges.rows import Answers, Area, Row

SIGN_IN: Final = 302
READ: Final[frozenset[str]] = frozenset()

# The model, and what an admin does there beside looking: of add, change, delete.
MODELS: Final[dict[str, frozenset[str]]] = {
    "accounts.accesspolicy": READ,
    "accounts.invitation": READ,
    "accounts.user": READ,
    "audit.auditentry": READ,
    "axes.accessattempt": frozenset({"delete"}),
    "clusters.cluster": READ,
    "clusters.site": READ,
    "inventory.bmc": READ,
    "inventory.credentialprofile": READ,
    "inventory.server": READ,
    "jobs.bmclease": READ,
    "jobs.job": READ,
    "jobs.jobtarget": READ,
    "jobs.worker": READ,
    "mfa.authenticator": READ,
    "usersessions.usersession": READ,
}


def only(admin: int) -> Answers:
    """Return that answer for admins; all others are refused."""
    return Answers(admin, 403, 403, 403, 403, SIGN_IN)


def _model_rows(label: str, may: frozenset[str]) -> Iterator[Row]:
    base = f"admin/{label.replace('.', '/')}/"
    one = f"{base}{{{label.replace('.', '_')}}}/"
    for path in (base, f"{one}change/", f"{one}history/"):
        yield Row("GET", path, only(200))
    yield Row("GET", one, only(302), note="goes on to the page for changing")
    for verb, path in (("add", f"{base}add/"), ("delete", f"{one}delete/")):
        yield Row("GET", path, only(200 if verb in may else 403))
    yield Row("POST", base, only(200), {})
    yield Row("POST", f"{base}add/", only(200 if "add" in may else 403), {})
    yield Row("POST", f"{one}change/", only(200 if "change" in may else 403), {})
    yield Row("POST", f"{one}delete/", only(302 if "delete" in may else 403), {"post": "yes"})


def _site_rows() -> Iterator[Row]:
    yield Row("GET", "admin/", only(200))
    yield Row("GET", "admin/login/", Answers(403, 403, 403, 403, 403, SIGN_IN))
    yield Row("GET", "admin/autocomplete/", only(403))
    yield Row("GET", "admin/jsi18n/", only(200))
    yield Row("GET", "admin/r/{server_type}/{server}/", only(302), note="goes on to the portal")
    yield Row("GET", "admin/inventory/", only(200))
    yield Row("GET", "admin/nothing-here", only(404))


SITE: Final = Area("Django admin", tuple(_site_rows()))
EACH: Final = tuple(
    Area(f"Django admin: {label}", tuple(_model_rows(label, may))) for label, may in MODELS.items()
)
AREAS: Final = (SITE, *EACH)
