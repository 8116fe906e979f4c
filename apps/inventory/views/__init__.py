"""Pages of servers and credential profiles, by noun."""

from __future__ import annotations
