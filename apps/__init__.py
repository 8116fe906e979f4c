"""The apps of the portal, one per domain; docs/architecture.md has their floors."""

from __future__ import annotations
