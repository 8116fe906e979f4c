from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "bmcportal"
    label = "portal"

    def ready(self) -> None:
        from apps.jobs.bootsteps import runner_install
        from bmcportal.celery import app

        runner_install(app)
