"""What keeps BMCs from being hammered: refusal guard (B4), login budget (B3), circuit breaker."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import Counter
from math import ceil, inf
from random import uniform
from typing import Final, Protocol

from apps.bmc.errors import BmcBreakerOpen, BmcLoginTooSoon
from apps.bmc.values import Credential

EndpointKey = tuple[str, int]

_SALT: Final = os.urandom(16)


def credential_key(credential: Credential) -> str:
    """The name of this very secret: `credential.key`, or a hash salted for this process."""
    if credential.key:
        return credential.key
    text = f"{credential.username}\0{credential.password.reveal()}".encode("utf-8", "surrogatepass")
    return "~" + hmac.new(_SALT, text, hashlib.sha256).hexdigest()[:32]


class RefusalStore(Protocol):
    """Where refusals are counted. Called on the engine's loop: it must not block.

    Several workers share one count by loading and storing it outside of these calls.
    """

    def count(self, endpoint_key: EndpointKey, credential_key: str) -> int:
        """How often this BMC refused this secret since it was last forgiven."""

    def record(self, endpoint_key: EndpointKey, credential_key: str) -> None:
        """The BMC refused this secret once more."""

    def forget(self, endpoint_key: EndpointKey) -> None:
        """A person says: try again; or the BMC accepted the secret."""


class MemoryRefusals:
    """The store of one process."""

    def __init__(self) -> None:
        self._counts: dict[EndpointKey, Counter[str]] = {}

    def count(self, endpoint_key: EndpointKey, credential_key: str) -> int:
        counts = self._counts.get(endpoint_key)
        return counts[credential_key] if counts else 0

    def record(self, endpoint_key: EndpointKey, credential_key: str) -> None:
        self._counts.setdefault(endpoint_key, Counter())[credential_key] += 1

    def forget(self, endpoint_key: EndpointKey) -> None:
        self._counts.pop(endpoint_key, None)


class LoginBudget:
    """At most one login per interval, and one more at once after a lost session (B3)."""

    __slots__ = ("_free", "_interval", "_last", "_lost")

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds
        self._last = -inf
        self._free = True
        self._lost = False

    def is_free(self, now: float) -> bool:
        """The last login was long ago."""
        return now - self._last >= self._interval

    def allows_after_loss(self, now: float) -> bool:
        """Would a login be allowed if the session was lost right now?"""
        return self._free or self.is_free(now)

    def check(self, now: float) -> None:
        """:raises BmcLoginTooSoon: with `retry_seconds`."""
        wait = self._last + self._interval - now
        if wait > 0 and not (self._lost and self._free):
            raise BmcLoginTooSoon(retry_seconds=ceil(wait))

    def spend(self, now: float) -> None:
        """A login begins to count: RAKP 3 is about to leave."""
        self._free = self.is_free(now)
        self._last = now
        self._lost = False

    def session_lost(self) -> None:
        self._lost = True


class Breaker:
    """Opens after some failures in a row; then one try per backoff, doubling up to a maximum.

    A person's own request may probe while it is open, as long as the last failure is older than the
    first backoff: ten people clicking on a dead BMC still send no more than one handshake per 5 s.
    """

    __slots__ = (
        "_backoff",
        "_failed_at",
        "_failures",
        "_first",
        "_maximum",
        "_open_until",
        "_threshold",
    )

    def __init__(self, threshold: int, first_seconds: float, maximum_seconds: float) -> None:
        self._threshold = threshold
        self._first = first_seconds
        self._maximum = maximum_seconds
        self.reset()

    @property
    def is_open(self) -> bool:
        return self._failures >= self._threshold

    @property
    def is_suspect(self) -> bool:
        """The last try failed."""
        return self._failures > 0

    def reset(self) -> None:
        self._failures = 0
        self._backoff = 0.0
        self._failed_at = self._open_until = -inf

    def check(self, now: float, *, interactive: bool) -> None:
        """:raises BmcBreakerOpen: with `retry_seconds`; otherwise one try is due."""
        until = self._open_until
        if interactive:
            until = min(until, self._failed_at + self._first)
        if self.is_open and now < until:
            raise BmcBreakerOpen(retry_seconds=ceil(until - now))

    def failed(self, now: float) -> None:
        self._failures += 1
        self._failed_at = now
        if self.is_open:
            self._backoff = min(self._backoff * 2 or self._first, self._maximum)
            # Jitter: BMCs that went away together shall not be tried together for ever.
            self._open_until = now + self._backoff * uniform(0.8, 1.2)  # noqa: S311
