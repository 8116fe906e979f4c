from __future__ import annotations

from django.apps import AppConfig


class PowerConfig(AppConfig):
    name = "apps.power"
    label = "power"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.jobs.handlers import handler_register
        from apps.jobs.sources import source_register
        from apps.power import doors
        from apps.power.handler import PowerHandler
        from apps.power.poll import PowerPoll

        handler_register(PowerHandler())
        source_register(PowerPoll.name, PowerPoll)
        doors.sign_in()
