"""What pages say about the power orders of a server: those at work, or how the last one ended."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.utils import timezone

from apps.bmc import PowerAction
from apps.inventory.models import Server
from apps.inventory.services.machines import machine_answering, machine_recorded
from apps.jobs.choices import OPEN
from apps.jobs.models import JobTarget
from apps.power.choices import IDENTIFY_KIND
from apps.power.lines import OrderLine, line_of
from apps.power.selectors import power_orders

HISTORY: Final = 10
NEWS_FOR: Final = dt.timedelta(hours=24)
"""After a day the last result is history: it stands in the activity only."""
LIGHT_NEWS_FOR: Final = dt.timedelta(minutes=5)
"""The identify light is out by then."""

ACTION_ICON: Final[dict[PowerAction, str]] = {
    PowerAction.ON: "power",
    PowerAction.SOFT_OFF: "moon",
    PowerAction.OFF: "power-off",
}


def orders_context(server: Server) -> dict[str, Any]:
    """Return what the orders' part of a server's page prints."""
    return {
        "server": server,
        "lines": current_lines(server),
        "answering": machine_answering(server.status),
        "recorded": machine_recorded(server.bmc),
    }


def current_lines(server: Server) -> list[OrderLine]:
    """Return the orders at work, or how the newest one of today ended; the light's beside it."""
    targets = list(power_orders(server)[:HISTORY])
    lights = [target for target in targets if target.job.kind == IDENTIFY_KIND]
    powers = [target for target in targets if target.job.kind != IDENTIFY_KIND]
    return [
        *_open_or_last(powers, NEWS_FOR),
        *_open_or_last(lights[:1], LIGHT_NEWS_FOR),
    ]


def _open_or_last(targets: list[JobTarget], news_for: dt.timedelta) -> list[OrderLine]:
    at_work = [target for target in targets if target.state in OPEN]
    if at_work:
        return [line_of(target) for target in at_work]
    last = next(iter(targets), None)
    if last is None or last.ended_at is None or last.ended_at < timezone.now() - news_for:
        return []
    return [line_of(last)]
