"""What pages say about the power orders of a server: the one at work, the last one, the history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.models import AuditEntry
from apps.bmc import PowerAction
from apps.inventory.models import Server
from apps.inventory.services.machines import machine_answering, machine_recorded
from apps.jobs.choices import OPEN
from apps.jobs.models import JobTarget
from apps.power.choices import IDENTIFY_KIND
from apps.power.lines import OrderLine, label_of, line_of
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

AUDIT_WORDS: Final[dict[str, str | Promise]] = {
    "inventory.server.create": gettext_lazy("added this server"),
    "inventory.server.update": gettext_lazy("changed this server"),
    "inventory.bmc.try_again": gettext_lazy("let the refused password be tried again"),
    "inventory.bmc.accept": gettext_lazy("accepted the machine that answers at this address"),
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a server's activity."""

    at: dt.datetime
    actor: str
    line: OrderLine
    reason: str = ""
    action: str | Promise = ""
    """What was ordered; empty for a change."""

    @property
    def short_time(self) -> str:
        """The clock time of today, else the day."""
        moment = self.at.astimezone(dt.UTC)
        is_today = moment.date() == timezone.now().astimezone(dt.UTC).date()
        return moment.strftime("%H:%M") if is_today else date_format(moment, "j M")


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


def activity(server: Server) -> list[Happening]:
    """Return the last orders and changes of a server, newest first."""
    lines = [
        Happening(
            target.job.created_at,
            target.job.actor_name,
            line_of(target),
            target.job.reason,
            label_of(target),
        )
        for target in power_orders(server)[:HISTORY]
    ]
    lines += _changes(server)
    return sorted(lines, key=lambda happening: happening.at, reverse=True)[:HISTORY]


def _changes(server: Server) -> Iterator[Happening]:
    rows = AuditEntry.objects.filter(
        object_type=server._meta.label_lower, object_id=str(server.pk), action__in=AUDIT_WORDS
    )
    for entry in rows.order_by("-pk")[:HISTORY]:
        yield Happening(
            entry.at, entry.actor_name, OrderLine("act", _change_words(entry)), entry.reason
        )


def _change_words(entry: AuditEntry) -> str:
    names = _changed_names(entry.before or {}, entry.after or {}) if entry.before else []
    words = str(AUDIT_WORDS[entry.action])
    return f"{words} ({', '.join(names)})" if names else words


def _changed_names(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    words = {
        "name": _("name"),
        "cluster": _("cluster"),
        "site": _("site"),
        "address": _("address"),
        "port": _("port"),
        "profile": _("credential profile"),
        "suite": _("cipher suite"),
        "guid": _("system GUID"),
        "serial": _("serial number"),
    }
    return [words.get(key, key) for key in after if before.get(key) != after[key]]
