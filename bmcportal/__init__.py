"""The composition root: the only place that knows all apps."""

from __future__ import annotations

from bmcportal.celery import app as celery_app

__all__ = ["celery_app"]
