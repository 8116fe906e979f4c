"""What changed, told to browsers: ids and states, on commit, never HTML."""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

log = structlog.get_logger(__name__)

LIVE_TYPE = "live.changed"
"""The message type every consumer handles."""
ACCESS_EVENT = "access"
"""A person's access changed: whoever serves them asks the database again, at once."""


def cluster_group(cluster_id: int | None) -> str:
    """Return the channel group of a cluster; servers without one share a group of their own."""
    return f"cluster.{cluster_id or 0}"


def person_group(user_id: int) -> str:
    """Return the channel group of a person's own sockets."""
    return f"person.{user_id}"


def publish(group: str, event: str, **states: Any) -> None:
    """Tell a group after the current transaction has committed; plain ids and states only."""
    transaction.on_commit(partial(_send, group, event, states))


def _send(group: str, event: str, states: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    message = {"type": LIVE_TYPE, "event": event, **states}
    try:
        async_to_sync(layer.group_send)(group, message)
    except Exception as error:  # noqa: BLE001  live push may be lost at any time; pages poll instead
        log.warning("live_push_lost", group=group, live_event=event, error=type(error).__name__)
