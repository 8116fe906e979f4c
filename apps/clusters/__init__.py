"""Sites, clusters and who holds which role where. Knows no server."""

from __future__ import annotations
