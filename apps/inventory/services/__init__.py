"""Changes to servers, BMCs and profiles, and the one way into `ServerStatus`."""

from __future__ import annotations

from apps.inventory.services.bulk_delete import (
    DeleteOutcome,
    servers_delete,
    servers_delete_preview,
)
from apps.inventory.services.bulk_edit import (
    EditOutcome,
    ServerChanges,
    servers_edit,
    servers_edit_preview,
)
from apps.inventory.services.custom_fields import (
    customfield_create,
    customfield_delete,
    customfield_update,
)
from apps.inventory.services.facts import ServerFacts
from apps.inventory.services.machines import identity_learn
from apps.inventory.services.profiles import profile_create, profile_delete, profile_update
from apps.inventory.services.racks import RackFacts, rack_create, rack_delete, rack_update
from apps.inventory.services.servers import server_create, server_delete, server_update
from apps.inventory.services.status import (
    PowerFault,
    PowerReading,
    servers_changed,
    status_record,
    transition_set,
)

__all__ = [
    "DeleteOutcome",
    "EditOutcome",
    "PowerFault",
    "PowerReading",
    "RackFacts",
    "ServerChanges",
    "ServerFacts",
    "customfield_create",
    "customfield_delete",
    "customfield_update",
    "identity_learn",
    "profile_create",
    "profile_delete",
    "profile_update",
    "rack_create",
    "rack_delete",
    "rack_update",
    "server_create",
    "server_delete",
    "server_update",
    "servers_changed",
    "servers_delete",
    "servers_delete_preview",
    "servers_edit",
    "servers_edit_preview",
    "status_record",
    "transition_set",
]
