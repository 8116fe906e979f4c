"""With what a path of the REST API is asked, beside a session. One line each in `CREDENTIALS`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from unittest import mock

import time_machine
from django.utils import timezone

from apps.accounts.models import ApiToken, ScriptSession, User
from apps.accounts.services import api_token_create
from apps.accounts.services.bearer import script_session_start
from apps.clusters.choices import Role

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Credential:
    name: str
    headers: Callable[[User], Headers]
    is_good: bool
    """A bad one is answered as nobody is, whoever it says it is."""


def _token(person: User, role: Role = Role.ADMIN) -> Headers:
    return {"Authorization": f"Token {api_token_create(user=person, days=1, role=role)}"}


def _readonly_token(person: User) -> Headers:
    return _token(person, Role.READONLY)


def _expired_token(person: User) -> Headers:
    found = _token(person)
    newest = ApiToken.objects.filter(user=person).latest("pk")
    newest.expiry = timezone.now() - dt.timedelta(seconds=1)
    newest.save(update_fields=["expiry"])
    return found


def _forged_token(person: User) -> Headers:
    good = _token(person)["Authorization"]
    return {"Authorization": good[:-8] + "00000000"}


def _bearer(person: User) -> Headers:
    # Five minutes may be less than the whole table takes on a busy machine.
    with mock.patch("apps.accounts.services.bearer.ACCESS_SECONDS", 3600):
        pair = script_session_start(user=person, address=None)
    return {"Authorization": f"Bearer {pair.access}"}


def _expired_bearer(person: User) -> Headers:
    with time_machine.travel(timezone.now() - dt.timedelta(minutes=61)):
        return _bearer(person)


def _forged_bearer(person: User) -> Headers:
    head, claims, _signature = _bearer(person)["Authorization"].split(".")
    return {"Authorization": f"{head}.{claims}.{'A' * 43}"}


def _ended_bearer(person: User) -> Headers:
    found = _bearer(person)
    ScriptSession.objects.filter(user=person).latest("pk").delete()
    return found


CREDENTIALS: Final = (
    Credential("API token", _token, is_good=True),
    Credential("access token", _bearer, is_good=True),
    Credential("expired access token", _expired_bearer, is_good=False),
    Credential("forged access token", _forged_bearer, is_good=False),
    Credential("access token of an ended session", _ended_bearer, is_good=False),
    Credential("expired API token", _expired_token, is_good=False),
    Credential("forged API token", _forged_token, is_good=False),
)

CAPPED: Final = Credential("API token for reading", _readonly_token, is_good=True)
"""Never more than readonly may, whoever made it."""
