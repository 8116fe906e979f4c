"""Simulated BMCs for the demo, for tests and for load. The core is plain asyncio, no Django."""

from __future__ import annotations
