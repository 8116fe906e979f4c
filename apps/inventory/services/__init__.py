"""Changes to servers, BMCs and profiles, and the one way into `ServerStatus`."""

from __future__ import annotations

from apps.inventory.services.facts import ServerFacts
from apps.inventory.services.identity import identity_learn
from apps.inventory.services.profiles import profile_create, profile_update
from apps.inventory.services.servers import server_create, server_delete, server_update
from apps.inventory.services.status import (
    PowerFault,
    PowerReading,
    servers_changed,
    status_record,
    transition_set,
)

__all__ = [
    "PowerFault",
    "PowerReading",
    "ServerFacts",
    "identity_learn",
    "profile_create",
    "profile_update",
    "server_create",
    "server_delete",
    "server_update",
    "servers_changed",
    "status_record",
    "transition_set",
]
