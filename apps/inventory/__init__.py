"""Servers, their BMCs, the credentials to reach them, and what was last read."""

from __future__ import annotations
