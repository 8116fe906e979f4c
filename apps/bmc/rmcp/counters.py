"""What the engine counted since it started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Plain totals; `dropped` has one entry per reason, all from a fixed small set of words."""

    datagrams_sent: int = 0
    datagrams_received: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    handshakes: int = 0
    handshake_restarts: int = 0
    logins: int = 0
    refusals: int = 0
    resends: int = 0
    unreachable: int = 0
    sessions_lost: int = 0
    sessions_open: int = 0
    sessions_evicted: int = 0
    keepalives: int = 0
    send_failures: int = 0

    def drop(self, reason: str) -> None:
        self.dropped[reason] += 1
