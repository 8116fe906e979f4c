"""Keys with which scripts come in."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import transaction
from knox.models import AuthToken

from apps.accounts.models import User
from apps.audit.services import entry_record

LONGEST_DAYS: Final = 366


def api_token_create(*, user: User, days: int, name: str = "", actor: User | None = None) -> str:
    """Return a new token for the REST API; only its hash is kept. It acts as this person.

    :raises ValueError: more days than a year has, or none.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError("a token lives 1 to 366 days")
    with transaction.atomic():
        kept, token = AuthToken.objects.create(user=user, expiry=dt.timedelta(days=days))
        entry_record(
            actor=actor,
            action="accounts.api_token.create",
            obj=user,
            reason=name,
            after={"name": name, "expires": kept.expiry.isoformat()},
        )
    return str(token)
