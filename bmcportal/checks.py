"""Settings that are understood and still dangerous: `manage.py check --deploy` names them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Warning

_FEWEST_BYTES: Final = 12
"""Different bytes that 32 random ones have at least; fewer were typed or counted."""


def settings_dangerous(*args: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return a warning for each; Django's own checks look at the rest."""
    return [Warning(text, id=f"portal.{number}") for number, text in _found()]


def _found() -> Iterator[tuple[str, str]]:
    if any(host.startswith(("*", ".")) for host in settings.ALLOWED_HOSTS):
        yield "W001", "ALLOWED_HOSTS takes names that are not the portal's. Write each one whole."
    proxies = [part.strip() for part in settings.FORWARDED_ALLOW_IPS.split(",")]
    if any(part == "*" or _is_everywhere(part) for part in proxies):
        yield (
            "W002",
            "FORWARDED_ALLOW_IPS trusts everybody: with a forged X-Forwarded-For each guess at a "
            "password comes from another address. Name the proxies.",
        )
    if any("*" in origin or origin.startswith("http:") for origin in settings.CSRF_TRUSTED_ORIGINS):
        yield "W003", "CSRF_TRUSTED_ORIGINS expects whole origins with https://, without a star."
    if any(network.prefixlen == 0 for network in settings.BMC_NETWORKS):
        yield (
            "W004",
            "BMC_NETWORKS is everywhere: BMC passwords could be sent to any host there is.",
        )
    weak = [name for name, key in settings.CREDENTIAL_KEYS.items() if len(set(key)) < _FEWEST_BYTES]
    if weak:
        yield (
            "W005",
            f"CREDENTIAL_KEYS: {', '.join(weak)} is not random. Make one with "
            "manage.py credential_key, then run manage.py credentials_reseal.",
        )


def _is_everywhere(text: str) -> bool:
    try:
        return ipaddress.ip_network(text).prefixlen == 0
    except ValueError:
        return False
