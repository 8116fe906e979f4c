"""Settings of worker processes in tests: the real ones, with short times."""

from __future__ import annotations

from apps.power.timing import PowerTiming
from bmcportal.settings import *  # noqa: F403  every setting, then the differences below

POWER_TIMING = PowerTiming(
    verify=6, verify_soft_off=8, watch_reset=1.5, first_read=0.3, confirm=5.5
)
WORKER_GONE_SECONDS = 4
