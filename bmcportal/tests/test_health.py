from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from apps.jobs.models import Worker
from bmcportal import health
from bmcportal.celery import app


def parts_of(answer: Any) -> dict[str, tuple[bool, str]]:
    return {part["name"]: (part["is_ok"], part["reason"]) for part in answer.json()["parts"]}


def test_healthz_answers_without_a_database_and_without_signing_in(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_names_what_is_missing(client: Client) -> None:
    answer = client.get("/readyz")
    parts = parts_of(answer)
    assert answer.status_code == 503
    assert parts["database"][0]
    assert parts["migrations"] == (True, "all applied")
    assert parts["cache"][0]
    assert parts["broker"][0]
    assert parts["bmc_workers"] == (
        False,
        "no bmc worker is alive: nothing is read and no order starts",
    )


@pytest.mark.django_db
def test_readyz_is_200_when_every_part_is_there(client: Client) -> None:
    Worker.objects.create(name="w", host="h", pid=1, heartbeat_at=Now())
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["is_ready"]
    assert parts_of(answer)["bmc_workers"] == (True, "1 alive")


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_a_reason_not_an_error(client: Client) -> None:
    def away(execute: Callable[..., Any], *_: Any) -> None:
        raise OperationalError("connection refused: 10.9.8.7 password=hunter2")

    with connection.execute_wrapper(away):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert parts_of(answer)["database"] == (False, "the database does not answer")
    assert b"hunter2" not in answer.content


def test_a_full_disk_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LOW_DISK_BYTES", 2**62)
    part = health._checked("disk", health._disk)
    assert not part.is_ok
    assert "MiB free" in part.reason


def test_a_broker_that_does_not_answer_is_told_with_what_it_means(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IS_EMBEDDED = False
    monkeypatch.setattr(
        app, "connection_for_write", lambda: app.connection("redis://127.0.0.1:1/0")
    )
    part = health._checked("broker", health._broker)
    assert not part.is_ok
    assert "orders are kept" in part.reason
