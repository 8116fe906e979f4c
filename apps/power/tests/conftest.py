from __future__ import annotations

from apps.jobs.tests.conftest import pool, stage

__all__ = ["pool", "stage"]
