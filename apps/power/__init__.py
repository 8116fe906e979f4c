"""Reading and changing the power state of servers."""

from __future__ import annotations
