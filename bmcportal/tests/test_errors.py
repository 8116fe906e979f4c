from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from apps.accounts.models import User


@pytest.fixture
def quiet_client() -> Client:
    """A client that shows the page people would see instead of raising."""
    return Client(raise_request_exception=False)


@pytest.mark.django_db
def test_a_dead_database_is_503_with_a_sentence(quiet_client: Client, admin: User) -> None:
    quiet_client.force_login(admin)

    def away(execute: Callable[..., Any], *_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(away):
        answer = quiet_client.get("/servers/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "15"
    text = answer.content.decode()
    assert "The database does not answer" in text
    assert "Nothing was changed and nothing was sent" in text
    assert "server closed the connection" not in text


@pytest.mark.django_db
def test_our_own_mistake_is_500_with_a_sentence_and_no_traceback(
    quiet_client: Client, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet_client.force_login(admin)

    def broken(execute: Callable[..., Any], *_: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    with connection.execute_wrapper(broken):
        answer = quiet_client.get("/servers/")
    text = answer.content.decode()
    assert answer.status_code == 500
    assert "The portal made a mistake" in text
    assert "secret detail" not in text
