"""What happened to a server, newest first: orders, changes by people, changes of state."""

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
from apps.core.templatetags.portal import exact, is_today
from apps.inventory.choices import Power
from apps.inventory.models import Server, StateChange
from apps.inventory.words import SERVER_LABELS
from apps.power.lines import OrderLine, label_of, line_of
from apps.power.selectors import power_orders

HISTORY: Final = 10

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
        moment = timezone.localtime(self.at)
        return moment.strftime("%H:%M") if is_today(self.at) else date_format(moment, "j M")

    @property
    def exact_time(self) -> str:
        return exact(self.at)


def activity(server: Server) -> list[Happening]:
    """Return the last orders, changes and changes of state of a server, newest first."""
    lines = [*_orders(server), *_changes(server), *_states(server)]
    return sorted(lines, key=lambda happening: happening.at, reverse=True)[:HISTORY]


def _orders(server: Server) -> Iterator[Happening]:
    for target in power_orders(server)[:HISTORY]:
        job = target.job
        yield Happening(
            job.created_at, job.actor_name, line_of(target), job.reason, label_of(target)
        )


def _changes(server: Server) -> Iterator[Happening]:
    rows = AuditEntry.objects.filter(
        object_type=server._meta.label_lower, object_id=str(server.pk), action__in=AUDIT_WORDS
    )
    for entry in rows.order_by("-pk")[:HISTORY]:
        yield Happening(
            entry.at, entry.actor_name, OrderLine("act", _change_words(entry)), entry.reason
        )


def _states(server: Server) -> Iterator[Happening]:
    """What the portal read, whoever or whatever caused it."""
    for change in server.state_changes.order_by("-pk")[:HISTORY]:
        yield Happening(change.at, "", _state_line(change))


def _state_line(change: StateChange) -> OrderLine:
    before, after = Power(change.before), Power(change.after)
    if after is Power.UNKNOWN:
        text = _("Unknown") if before is after else _WAS[before]
        return OrderLine("unknown", str(text), fault=change.fault, params=change.fault_params)
    text = _READ_AGAIN[after] if before is Power.UNKNOWN else _READ[after]
    return OrderLine(after.value, str(text))


_WAS: Final[dict[Power, str | Promise]] = {
    Power.ON: gettext_lazy("Unknown; it was on"),
    Power.OFF: gettext_lazy("Unknown; it was off"),
}
_READ: Final[dict[Power, str | Promise]] = {
    Power.ON: gettext_lazy("Off → On, as read"),
    Power.OFF: gettext_lazy("On → Off, as read"),
}
_READ_AGAIN: Final[dict[Power, str | Promise]] = {
    Power.ON: gettext_lazy("Read again: on"),
    Power.OFF: gettext_lazy("Read again: off"),
}


def _change_words(entry: AuditEntry) -> str:
    names = _changed_names(entry.before or {}, entry.after or {}) if entry.before else []
    words = str(AUDIT_WORDS[entry.action])
    return f"{words} ({', '.join(names)})" if names else words


def _changed_names(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    labels = SERVER_LABELS | {"guid": _("System GUID"), "custom_fields": _("Custom fields")}
    return [str(labels.get(key, key)) for key in after if before.get(key) != after[key]]
