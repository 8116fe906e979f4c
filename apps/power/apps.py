from __future__ import annotations

from django.apps import AppConfig


class PowerConfig(AppConfig):
    name = "apps.power"
    label = "power"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.jobs.guards import guard_register
        from apps.jobs.handlers import handler_register
        from apps.jobs.sources import source_register
        from apps.power import doors
        from apps.power.guards import ProtectedServers
        from apps.power.handler import PowerHandler
        from apps.power.identify import IdentifyHandler
        from apps.power.poll import PowerPoll

        handler_register(PowerHandler())
        handler_register(IdentifyHandler())
        guard_register(ProtectedServers())
        source_register(PowerPoll.name, PowerPoll)
        doors.sign_in()
