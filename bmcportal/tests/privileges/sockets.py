"""Paths of the socket router."""

from __future__ import annotations

from typing import Final

from bmcportal.tests.privileges.rows import Socket

GETS: Final = "✓"
HIDDEN: Final = "hidden"
CLOSED: Final = "sign in"

# To: admin, operator, user, readonly, outsider, nobody.
SOCKETS: Final = (
    Socket(
        "ws/live/",
        "The live list, and the page of a server or a rack.",
        (GETS, GETS, GETS, GETS, HIDDEN, CLOSED),
    ),
)
