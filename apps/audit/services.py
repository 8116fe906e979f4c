from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from django.db import models

from apps.audit.models import AuditEntry

if TYPE_CHECKING:
    from apps.accounts.models import User

SYSTEM_ACTOR = "system"


def entry_build(
    *,
    actor: User | None,
    action: str,
    obj: models.Model,
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Return an unsaved entry; for writers that save many in one statement.

    `before` and `after` hold plain values and never a secret: pass field names, not models.
    """
    return AuditEntry(
        actor=actor,
        actor_name=actor.get_username() if actor else SYSTEM_ACTOR,
        action=action,
        object_type=obj._meta.label_lower,
        object_id=str(obj.pk),
        object_name=str(obj)[:255],
        reason=reason[:500],
        before=before,
        after=after,
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64],
    )


def entry_record(
    *,
    actor: User | None,
    action: str,
    obj: models.Model,
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Write one entry. Call it inside the transaction of the change it tells."""
    entry = entry_build(
        actor=actor, action=action, obj=obj, reason=reason, before=before, after=after
    )
    entry.save(force_insert=True)
    return entry
