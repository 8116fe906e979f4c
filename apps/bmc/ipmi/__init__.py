"""IPMI commands: what to send, how to read the answer."""

from __future__ import annotations
