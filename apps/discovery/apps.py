from __future__ import annotations

from django.apps import AppConfig


class DiscoveryConfig(AppConfig):
    name = "apps.discovery"
    label = "discovery"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.discovery import doors
        from apps.discovery.worker import ConnectionTests
        from apps.jobs.sources import source_register

        source_register(ConnectionTests.name, ConnectionTests)
        doors.sign_in()
