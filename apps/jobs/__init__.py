"""One engine for everything that runs over BMCs: jobs, targets, leases, workers."""

from __future__ import annotations
