"""People: users, roles, sign-in."""

from __future__ import annotations
