"""The Celery app: a queue of bells. Messages carry ids only; the record is the database."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bmcportal.settings")

app = Celery("bmcportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _keep_our_logging(**_: object) -> None:
    """Logging is configured by Django's settings; Celery must not replace it."""
