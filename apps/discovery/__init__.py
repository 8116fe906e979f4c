"""Finding BMCs, and finding out whether the portal can talk to one."""

from __future__ import annotations
