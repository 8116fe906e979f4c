"""The history of one object, read from the audit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import models
from django.db.models import QuerySet

from apps.audit.models import AuditEntry
from apps.audit.words import (
    Change,
    Told,
    Words,
    action_words,
    changes_told,
    kind_words,
    words_of,
)

Mask = Callable[[Told], Told]
"""Replaces the values that the reader may not see."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One entry in words."""

    at: dt.datetime
    who: str
    what: str
    reason: str
    changes: list[Change]
    is_first: bool
    """Nothing was there before: the values stand alone."""
    request_id: str


@dataclass(frozen=True, slots=True)
class Saved:
    """Who wrote an object last, and when."""

    who: str
    at: dt.datetime
    reason: str
    has_new_secret: bool


def entries_of(obj: models.Model) -> QuerySet[AuditEntry]:
    """Return the entries about an object, newest first."""
    return AuditEntry.objects.filter(
        object_type=obj._meta.label_lower, object_id=str(obj.pk)
    ).order_by("-pk")


def history_lines(
    entries: Iterable[AuditEntry], words: Words, mask: Mask | None = None
) -> list[HistoryLine]:
    """Return entries in words; `mask` sees the told values before they are written."""
    hide = mask or (lambda told: told)
    return [
        HistoryLine(
            at=entry.at,
            who=entry.actor_name,
            what=action_words(entry.action),
            reason=entry.reason,
            changes=changes_told(hide(entry.before or {}), hide(entry.after or {}), words),
            is_first=not entry.before,
            request_id=entry.request_id,
        )
        for entry in entries
    ]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One entry of the whole audit, about an object of whatever kind."""

    entry: AuditEntry
    kind: str
    told: HistoryLine


def audit_lines(entries: Iterable[AuditEntry]) -> list[AuditLine]:
    """Return entries in words; each kind of object is asked once for its own."""
    rows = list(entries)
    words = {kind: words_of(kind) for kind in {entry.object_type for entry in rows}}
    return [
        AuditLine(entry, kind_words(entry.object_type), told)
        for entry in rows
        for told in history_lines([entry], words[entry.object_type])
    ]


def saved_last(obj: models.Model, prefix: str) -> Saved | None:
    """Return who saved the object last; `prefix` starts the actions that count as saving."""
    entry = entries_of(obj).filter(action__startswith=prefix).first()
    if entry is None:
        return None
    has_new_secret = bool((entry.after or {}).get("has_new_secret"))
    return Saved(entry.actor_name, entry.at, entry.reason, has_new_secret)
