"""The privilege table: every path and method, and what each person is answered.

A new path, or a new method of a path, fails `bmcportal/tests/test_privileges.py` until it has a row
in a module here: `pages_servers.py`, `pages_places.py`, `pages_people.py`, `api.py`, `admin.py` (a
model), `sockets.py`. `python deploy/privileges.py` then writes docs/privileges.md.
"""

from __future__ import annotations

from typing import Final

from bmcportal.tests.privileges import admin, api, pages_people, pages_places, pages_servers
from bmcportal.tests.privileges.rows import Area

AREAS: Final[tuple[Area, ...]] = (
    *pages_servers.AREAS,
    *pages_places.AREAS,
    *pages_people.AREAS,
    *api.AREAS,
    *admin.AREAS,
)
