"""Settings from the environment: each `NAME`, or the file that `NAME_FILE` points to.

A wrong value stops the start with a sentence that says what is expected.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def load_file(path: Path) -> None:
    """Read `.env`, where there is one; the real environment wins."""
    if path.is_file():
        environ.Env.read_env(str(path), overwrite=False)


def text(name: str, default: str | None = None) -> str:
    """Return the variable; without a default it must be there."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE points to {file}, which cannot be read: {error.strerror}."
            ) from error
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. See .env.example for what it expects.")
    return value.strip()


def parsed(name: str, default: str, parse: Callable[[str], T], expects: str) -> T:
    value = text(name, default)
    try:
        return parse(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {value!r}, but expects {expects}.") from error


def number(name: str, default: int, low: int, high: int) -> int:
    def parse(value: str) -> int:
        found = int(value)
        if not low <= found <= high:
            raise ValueError(value)
        return found

    return parsed(name, str(default), parse, f"a whole number from {low} to {high}")


def flag(name: str, default: bool) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

    def parse(value: str) -> bool:
        if value.lower() not in words:
            raise ValueError(value)
        return words[value.lower()]

    return parsed(name, "true" if default else "false", parse, "true or false")


def names(name: str, default: str) -> list[str]:
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def networks(name: str, default: str) -> tuple[Network, ...]:
    """Parse a comma-separated list of networks; empty means none."""

    def parse(value: str) -> tuple[Network, ...]:
        parts = [part.strip() for part in value.split(",") if part.strip()]
        return tuple(ipaddress.ip_network(part) for part in parts)

    return parsed(name, default, parse, "networks such as 10.0.0.0/8,fc00::/7, comma separated")


def rates(name: str, defaults: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Parse `search=120/60,…` (so many within so many seconds) over the defaults."""

    def parse(value: str) -> dict[str, tuple[int, int]]:
        found = dict(defaults)
        for part in filter(None, (part.strip() for part in value.split(","))):
            key, _, rate = part.partition("=")
            count, _, seconds = rate.partition("/")
            if key not in defaults or int(count) < 1 or int(seconds) < 1:
                raise ValueError(value)
            found[key] = (int(count), int(seconds))
        return found

    names = ", ".join(defaults)
    return parsed(name, "", parse, f"pairs such as search=120/60, comma separated, of {names}")


def url(name: str, default: str, schemes: tuple[str, ...]) -> str:
    def parse(value: str) -> str:
        if value and value.split("://")[0] not in schemes:
            raise ValueError(value)
        return value

    wanted = " or ".join(f"{scheme}://…" for scheme in schemes)
    # The value may hold a password, so it is repeated neither here nor in a traceback.
    value = text(name, default)
    try:
        return parse(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} expects {wanted}.") from None
