"""Structured logs: one line an event, with request and job ids, without secrets."""

from __future__ import annotations

import io
import logging.config
import re
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from bmcportal.redaction import exception_clean, redact, text_clean

# Without the values of local variables: a revealed password may be among them.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_LINKS: Final = re.compile(r"(/invitation/|/account/new-password/)[^\s\"'?#<>]+")
"""Paths that end in a key: whoever reads it can use it."""


def _traceback_write(sio: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Write a traceback for people, without what must not be read in it."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    sio.write(text_clean(text.getvalue()))


def redact_links(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut the keys of invitations and password links out of every text, such as a path."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _LINKS.sub(r"\1…", value)
    return event


def logging_config(*, level: str, as_json: bool) -> dict[str, Any]:
    """Configure structlog and the standard library alike; return the latter's dict."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        redact_links,
    ]
    renderer: list[Any] = (
        [_TRACEBACKS, exception_clean, structlog.processors.JSONRenderer(default=repr)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_traceback_write)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "django.db.backends": {"level": "INFO"},  # statements have their values in them
            "django_structlog": {"level": "WARNING"},
            "uvicorn.access": {"level": "WARNING", "handlers": [], "propagate": False},
            "uvicorn.error": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
        },
    }
    logging.config.dictConfig(config)
    return config
