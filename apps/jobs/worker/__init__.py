"""The slow part: one asyncio loop per bmc worker that holds the sessions and drives the targets."""

from __future__ import annotations
