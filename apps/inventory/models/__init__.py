"""Servers and everything that is known about them, by noun."""

from __future__ import annotations

from apps.inventory.models.bmcs import Bmc
from apps.inventory.models.lists import SavedView, ServerSelection
from apps.inventory.models.profiles import CredentialProfile, CredentialProfileQuerySet
from apps.inventory.models.racks import Rack, RackQuerySet
from apps.inventory.models.servers import (
    CustomField,
    Server,
    ServerQuerySet,
    ServerStatus,
    StateChange,
    Tag,
)

__all__ = [
    "Bmc",
    "CredentialProfile",
    "CredentialProfileQuerySet",
    "CustomField",
    "Rack",
    "RackQuerySet",
    "SavedView",
    "Server",
    "ServerQuerySet",
    "ServerSelection",
    "ServerStatus",
    "StateChange",
    "Tag",
]
