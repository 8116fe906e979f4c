from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from apps.bmc import Credential, Secret
from bmcportal.logs import logging_config


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that would be logged in production mode."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    config = structlog.get_config()
    logging_config(level="INFO", as_json=True)
    text = io.StringIO()
    handler = next(h for h in root.handlers if isinstance(h, logging.StreamHandler))
    handler.setStream(text)
    yield text
    root.handlers[:], root.level = handlers, level
    structlog.configure(**config)


def test_secrets_are_redacted_by_type_and_by_name(lines: io.StringIO) -> None:
    secret = Secret("hunter2")
    log = structlog.get_logger("test")
    log.warning("tried", what=Credential("admin", secret), value=secret, password="hunter2")
    log.warning("tried", nested={"deep": [secret]}, api_token="hunter2")
    logging.getLogger("other").warning("plain %s", secret)
    assert "hunter2" not in lines.getvalue()
    first = json.loads(lines.getvalue().splitlines()[0])
    assert (first["event"], first["password"], first["level"]) == ("tried", "…", "warning")


def test_a_traceback_does_not_hold_the_secret_s_value(lines: io.StringIO) -> None:
    revealed = Secret("hunter2").reveal()
    try:
        raise ValueError(len(revealed))
    except ValueError:
        structlog.get_logger("test").exception("failed")
    line = json.loads(lines.getvalue().splitlines()[0])
    assert line["event"] == "failed"
    assert "hunter2" not in lines.getvalue()


def test_ids_of_the_context_are_on_every_line(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1", job_id=7):
        logging.getLogger("other").warning("plain")
    assert json.loads(lines.getvalue())["job_id"] == 7
