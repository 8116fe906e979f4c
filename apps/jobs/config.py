"""The numbers of the runner. Settings with these names win; tests use shorter ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings

NOT_AFTER_SECONDS: Final = 120
"""An order that waited longer than this after its release dies (J4)."""
HEARTBEAT_SECONDS: Final = 5.0
GONE_SECONDS: Final = 20.0


def gone_seconds() -> float:
    """A worker without a heartbeat for so long serves nothing any more."""
    return float(getattr(settings, "WORKER_GONE_SECONDS", GONE_SECONDS))


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """All in seconds unless the name says otherwise."""

    lease_seconds: float = 60.0
    sweep_seconds: float = 15.0
    tick_seconds: float = 1.0
    """How often the database is asked without a bell."""
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    gone_seconds: float = GONE_SECONDS
    send_window_seconds: float = 5.0
    """The datagram leaves so soon after `sent` was committed, or not at all."""
    news_seconds: float = 0.2
    """Readings are written, and changes pushed, at most so often."""
    drain_seconds: float = 40.0
    """At a stop; logging out and signing off come after it, within 60 s in all."""
    claim_limit: int = 1000
    db_threads: int = 3

    @property
    def lease_margin_seconds(self) -> float:
        """What must be left of a lease when a command is sent."""
        return min(10.0, self.lease_seconds / 3)

    @classmethod
    def from_settings(cls) -> RunnerConfig:
        gone = gone_seconds()
        return cls(
            lease_seconds=float(settings.LEASE_SECONDS),
            sweep_seconds=float(settings.SWEEP_SECONDS),
            gone_seconds=gone,
            heartbeat_seconds=min(HEARTBEAT_SECONDS, gone / 4),
        )
