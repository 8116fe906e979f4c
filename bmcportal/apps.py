from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register


class PortalConfig(AppConfig):
    name = "bmcportal"
    label = "portal"

    def ready(self) -> None:
        from apps.jobs.bootsteps import runner_install
        from bmcportal.celery import app
        from bmcportal.checks import settings_dangerous

        register(settings_dangerous, Tags.security, deploy=True)
        runner_install(app)
