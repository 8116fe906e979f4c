"""The same request twice is one (`Idempotency-Key`).

What was done and the answer to it are committed together, in one transaction that begins with the
row of the key. So nothing lies between them that a crash could fall into, and a second request
waits on the unique key until the first is committed, then finds its answer; if the first was
rolled back, the second does the work. A request that was refused leaves nothing behind: it may be
corrected and sent again with its key.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, OperationalError, transaction

from apps.audit.models import IdempotentRequest
from apps.core.dbtime import now_plus

if TYPE_CHECKING:
    from apps.accounts.models import User

KEPT_FOR: Final = dt.timedelta(hours=24)
FORGET_AT_ONCE: Final = 200
_LOCK_NOT_AVAILABLE: Final = "55P03"


class KeyReused(Exception):
    """The key came with another request before."""


class StillAtWork(Exception):
    """The first request with this key is not finished yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its key."""

    user: User
    key: str
    method: str
    path: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back, now and again."""

    status: int
    text: str
    headers: Mapping[str, str]


def body_hash(data: Any) -> str:
    """Return the same for bodies that say the same, however they are spaced."""
    told = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def answer_find(asked: Asked) -> Answer | None:
    """Return the answer that this very request got within the last day.

    :raises KeyReused:
    """
    fresh = IdempotentRequest.objects.filter(created_at__gt=now_plus(-KEPT_FOR.total_seconds()))
    kept = fresh.filter(user=asked.user, key=asked.key).first()
    if kept is None:
        return None
    if (kept.method, kept.path, kept.body_hash) != (asked.method, asked.path, asked.body_hash):
        raise KeyReused
    return Answer(kept.status, kept.answer, kept.headers)


def answer_once(asked: Asked, act: Callable[[uuid.UUID], Answer]) -> tuple[Answer, bool]:
    """Do it unless it was done; return the answer, and whether it is a repeated one.

    `act` runs inside the transaction: no network in it. It gets a UUID that no other request has,
    for records of its own that must exist once.

    :raises KeyReused, StillAtWork:
    """
    try:
        with transaction.atomic():
            kept = _claim(asked)
            answer = act(uuid.uuid5(uuid.NAMESPACE_OID, f"{asked.user.pk}/{asked.key}/{kept.pk}"))
            kept.status, kept.answer, kept.headers = (
                answer.status,
                answer.text,
                dict(answer.headers),
            )
            kept.save(update_fields=["status", "answer", "headers"])
            transaction.on_commit(partial(answers_forget, FORGET_AT_ONCE), robust=True)
    except IntegrityError:
        # Either our key, committed by another request just now, or a rule of what was to be done.
        if earlier := answer_find(asked):
            return earlier, True
        raise
    return answer, False


def answers_forget(most: int) -> int:
    """Delete answers older than a day, so many at once; return how many it were."""
    old = IdempotentRequest.objects.filter(created_at__lt=now_plus(-KEPT_FOR.total_seconds()))
    ids = list(old.order_by("pk").values_list("pk", flat=True)[:most])
    return IdempotentRequest.objects.filter(pk__in=ids).delete()[0] if ids else 0


def _claim(asked: Asked) -> IdempotentRequest:
    """:raises StillAtWork: PostgreSQL waited as long as `lock_timeout` for the first request."""
    rows = IdempotentRequest.objects
    kept = IdempotentRequest(
        user=asked.user, key=asked.key, method=asked.method, path=asked.path,
        body_hash=asked.body_hash,
    )  # fmt: skip
    try:
        rows.filter(
            user=asked.user,
            key=asked.key,
            created_at__lte=now_plus(-KEPT_FOR.total_seconds()),
        ).delete()
        kept.save(force_insert=True)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == _LOCK_NOT_AVAILABLE:
            raise StillAtWork from error
        raise
    return kept
