from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "bmcportal"
    label = "portal"

    def ready(self) -> None:
        from apps.audit.words import words_register
        from apps.jobs.bootsteps import runner_install
        from bmcportal.celery import app
        from bmcportal.checks import settings_dangerous

        register(settings_dangerous, Tags.security, deploy=True)
        runner_install(app)
        words_register(actions={"*.reseal": _("stored the secret under a new key")})


class PortalAdminConfig(AdminConfig):
    default_site = "bmcportal.admin_site.PortalAdminSite"
