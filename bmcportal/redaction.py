"""What must not be read in logs, by type, by the name of a field, and by what a text looks like."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from apps.bmc import Credential, Secret

HIDDEN: Final = "…"
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|cookie|credential_keys|(^|_)(kg|otp|totp)(_|$)",
    re.IGNORECASE,
)
_IN_TEXTS: Final = (
    # The password of a database, a broker or a proxy, in an address.
    (re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/'\"]*@"), f"{HIDDEN}@"),
    # PostgreSQL repeats rows and values below an error.
    (re.compile(r"\bDETAIL:\s.*?(?=\n\s*\n|\Z)", re.DOTALL), f"DETAIL: {HIDDEN}"),
    # Links that are keys themselves.
    (re.compile(r"(/invitation/)[^\s/?'\"]+"), rf"\1{HIDDEN}"),
)
_DEEPEST: Final = 6


def is_secret_name(name: str) -> bool:
    return bool(_SECRET_NAME.search(name))


def text_clean(text: str) -> str:
    """Return it without passwords in addresses, values of rows, and links that open something."""
    text = str(text)  # it may be a lazy one
    for pattern, instead in _IN_TEXTS:
        text = pattern.sub(instead, text)
    return text


def cleaned(value: Any, depth: int = 0) -> Any:
    """Return what may be read of a value, however deep it is nested."""
    if isinstance(value, str):
        return text_clean(value)
    if isinstance(value, (Secret, Credential)) or depth > _DEEPEST:
        return HIDDEN
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {
            cleaned(key, depth + 1): HIDDEN
            if isinstance(key, str) and is_secret_name(key)
            else cleaned(inner, depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [cleaned(inner, depth + 1) for inner in value]
    return value


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean one line of the log; a processor of structlog."""
    for key, value in event.items():
        if key.startswith("_") or key == "exc_info":
            continue  # not written, or not yet a text: see `exception_clean`
        event[key] = HIDDEN if is_secret_name(key) else cleaned(value)
    return event


def exception_clean(_: object, __: str, event: MutableMapping[str, Any]) -> Any:
    """Clean what a traceback became; after it was rendered."""
    if "exception" in event:
        event["exception"] = cleaned(event["exception"], -_DEEPEST)
    return event
