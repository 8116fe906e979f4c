"""Who did what, why, and what it changed."""

from __future__ import annotations
