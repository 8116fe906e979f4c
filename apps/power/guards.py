"""What keeps servers from power orders."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet

from apps.inventory.models import Server
from apps.jobs.guards import PlanGuard, Veto
from apps.power.choices import KIND, PowerResult


class ProtectedServers(PlanGuard):
    """No power command goes to a protected server, whoever orders it and on whatever path."""

    code: ClassVar[str] = PowerResult.PROTECTED
    kinds: ClassVar[frozenset[str]] = frozenset({KIND})

    def servers(self) -> QuerySet[Server]:
        return Server.objects.filter(is_protected=True)

    def veto(self, server: Server) -> Veto:
        return Veto(self.code, {"reason": server.protected_reason})
