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
def test_a_dead_database_is_asked_once_for_a_page(quiet_client: Client, admin: User) -> None:
    """In production each try waits for a connection: people see the sentence after the first."""
    quiet_client.force_login(admin)
    tries = []

    def away(execute: Callable[..., Any], *_: Any) -> None:
        tries.append(1)
        raise OperationalError("no connection after 5 s")

    with connection.execute_wrapper(away):
        assert quiet_client.get("/servers/").status_code == 503
        assert len(tries) <= 2
        tries.clear()
        assert Client().get("/healthz").status_code == 200
    assert tries == []


@pytest.mark.django_db
def test_what_was_done_is_told_though_the_database_goes_away_right_after(
    quiet_client: Client, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet_client.force_login(admin)

    def away(**_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("apps.accounts.last_seen.session_seen", away)
    answer = quiet_client.post("/sites/add", {"name": "fra"})
    assert answer.status_code == 303


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
