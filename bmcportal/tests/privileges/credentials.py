"""With what a path of the REST API is asked, beside a session. One line each in `CREDENTIALS`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.utils import timezone
from knox.models import get_token_model

from apps.accounts.models import User
from apps.accounts.services import api_token_create

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Credential:
    name: str
    headers: Callable[[User], Headers]
    is_good: bool
    """A bad one is answered as nobody is, whoever it says it is."""


def _token(person: User) -> Headers:
    return {"Authorization": f"Token {api_token_create(user=person, days=1)}"}


def _expired_token(person: User) -> Headers:
    found = _token(person)
    newest = get_token_model().objects.filter(user=person).latest("created")
    newest.expiry = timezone.now() - dt.timedelta(seconds=1)
    newest.save(update_fields=["expiry"])
    return found


def _forged_token(person: User) -> Headers:
    good = _token(person)["Authorization"]
    return {"Authorization": good[:-8] + "00000000"}


CREDENTIALS: Final = (
    Credential("API token", _token, is_good=True),
    Credential("expired API token", _expired_token, is_good=False),
    Credential("forged API token", _forged_token, is_good=False),
)
