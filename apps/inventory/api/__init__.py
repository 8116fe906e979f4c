"""REST views, by noun."""

from __future__ import annotations
