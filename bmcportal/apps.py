from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "bmcportal"
    label = "portal"

    def ready(self) -> None:
        from apps.jobs.bootsteps import runner_install
        from bmcportal.celery import app

        runner_install(app)


class PortalAdminConfig(AdminConfig):
    default_site = "bmcportal.admin_site.PortalAdminSite"
