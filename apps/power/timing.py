"""How long power orders may take. No models here: settings of tests import it."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class PowerTiming:
    """Seconds. `settings.POWER_TIMING` replaces it in tests."""

    verify: float = 120.0
    verify_soft_off: float = 600.0
    watch_reset: float = 30.0
    """An accepted reset rarely shows anything: for so long an off phase is looked for."""
    first_read: float = 1.0
    confirm: float = 5.5
    """Between two reads that must agree when the BMC did not answer; more than 5 s."""


def timing() -> PowerTiming:
    found: PowerTiming = getattr(settings, "POWER_TIMING", None) or PowerTiming()
    return found
