"""Two at once: a refresh token is exchanged once, and nobody gets past the count of tokens."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken, ScriptSession
from apps.accounts.services import api_token_create, bearer
from apps.accounts.services.tokens import MOST_LIVE

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE: Final = 6


def at_once(act: Callable[[], Any]) -> Counter[Any]:
    start = threading.Barrier(AT_ONCE)

    def run(_: int) -> Any:
        try:
            start.wait(10)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(run, range(AT_ONCE)))


def test_of_many_exchanges_at_once_one_wins_and_the_session_ends(operator: Any) -> None:
    pair = bearer.script_session_start(user=operator, address=None)
    body = {"refresh_token": pair.refresh}

    def refresh() -> int:
        return APIClient().post("/api/auth/token/refresh", body, format="json").status_code

    assert at_once(refresh) == {200: 1, 401: AT_ONCE - 1}
    assert not ScriptSession.objects.exists()


def test_the_count_of_tokens_holds_for_many_at_once(operator: Any) -> None:
    for _ in range(MOST_LIVE - 1):
        api_token_create(user=operator, days=1)

    def make() -> bool:
        try:
            return bool(api_token_create(user=operator, days=1))
        except ValidationError:
            return False

    assert at_once(make) == {True: 1, False: AT_ONCE - 1}
    assert ApiToken.objects.count() == MOST_LIVE
