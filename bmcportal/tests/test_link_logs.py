"""The keys of links never reach the logs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.test import Client

from bmcportal.logs import logging_config

KEY = "Nobody-else_may.read-this"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that would be logged in production mode, also what is usually left out."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    config = structlog.get_config()
    logging_config(level="DEBUG", as_json=True)
    quiet = [logging.getLogger(name) for name in ("django_structlog", "django.server")]
    for logger in quiet:
        logger.setLevel(logging.DEBUG)
    text = io.StringIO()
    handler = next(h for h in root.handlers if isinstance(h, logging.StreamHandler))
    handler.setStream(text)
    yield text
    root.handlers[:], root.level = handlers, level
    for logger in quiet:
        logger.setLevel(logging.WARNING)
    structlog.configure(**config)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/invitation/", "/account/new-password/"])
def test_a_request_is_logged_without_the_key(lines: io.StringIO, path: str) -> None:
    client = Client(raise_request_exception=False)
    client.get(f"{path}{KEY}")
    client.post(f"{path}{KEY}?next=/{KEY}", {"again": KEY})
    logging.getLogger("django.server").warning('"%s" %s', f"GET {path}{KEY} HTTP/1.1", 200)

    found = lines.getvalue()
    assert found.count("request_finished") == 2
    assert found.count(f"{path}\\u2026") >= 5  # begun and finished twice, and the last line
    assert f"{path}{KEY}" not in found


def test_other_paths_stay_readable(lines: io.StringIO) -> None:
    structlog.get_logger("test").info("asked", request="GET /servers/7/", number=7)
    line: dict[str, Any] = json.loads(lines.getvalue().splitlines()[0])
    assert (line["request"], line["number"]) == ("GET /servers/7/", 7)
