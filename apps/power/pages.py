"""What pages say about the power orders of a server: the one at work, the last one, the history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.models import AuditEntry
from apps.bmc import PowerAction
from apps.core.templatetags.portal import clock
from apps.inventory.models import Server
from apps.jobs.choices import OPEN, ResultCode, TargetState
from apps.jobs.models import JobTarget
from apps.power.choices import ACTION_WORDS, RESULT_WORDS, PowerResult
from apps.power.selectors import power_orders

HISTORY: Final = 10
NEWS_FOR: Final = dt.timedelta(hours=24)
"""After a day the last result is history: it stands in the activity only."""

ACTION_ICON: Final[dict[PowerAction, str]] = {
    PowerAction.ON: "power",
    PowerAction.SOFT_OFF: "moon",
    PowerAction.OFF: "power-off",
}

AUDIT_WORDS: Final[dict[str, str | Promise]] = {
    "inventory.server.create": gettext_lazy("added this server"),
    "inventory.server.update": gettext_lazy("changed this server"),
    "inventory.bmc.try_again": gettext_lazy("let the refused password be tried again"),
}


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order in words. `fault` is a code for `{% fault %}` when the words are not ours."""

    tone: str
    """A class of `bp-state`: busy, wait, done, accepted, unknown, fail or off."""
    text: str
    detail: str | Promise = ""
    next_step: str | Promise = ""
    fault: str = ""
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """A class of the dot in `bp-time`."""
        return {"done": "t-ok", "fail": "t-crit", "unknown": "t-unk"}.get(self.tone, "t-act")


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


def current_lines(server: Server) -> list[OrderLine]:
    """Return the orders at work, or how the newest one of today ended."""
    targets = list(power_orders(server)[:HISTORY])
    at_work = [target for target in targets if target.state in OPEN]
    if at_work:
        return [line_of(target) for target in at_work]
    last = next(iter(targets), None)
    if last is None or last.ended_at is None or last.ended_at < timezone.now() - NEWS_FOR:
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
            _label(target),
        )
        for target in power_orders(server)[:HISTORY]
    ]
    lines += _changes(server)
    return sorted(lines, key=lambda happening: happening.at, reverse=True)[:HISTORY]


def line_of(target: JobTarget) -> OrderLine:
    """Tell where an order stands. What was read and when; never more than is known."""
    label = str(_label(target))
    if target.state in OPEN:
        return _open_line(target, label)
    return _end_line(target, label)


def _open_line(target: JobTarget, label: str) -> OrderLine:
    at = target.job.created_at
    if target.state not in (TargetState.SENT, TargetState.VERIFYING):
        return _unsent_line(target, label)
    if target.answered_at is not None:
        at, pattern = target.answered_at, _("{action} accepted {at}, reading what it does")
    else:
        at = _sent_at(target)
        if target.state == TargetState.SENT:
            pattern = _("{action} sent {at}, no answer yet")
        else:
            pattern = _("{action} sent {at}, no answer. It is not sent again; reading what it did.")
    return OrderLine("busy", format_html(pattern, action=label, at=clock(at)))


def _unsent_line(target: JobTarget, label: str) -> OrderLine:
    """Nothing is under way to the BMC; an earlier try may have been turned down by it."""
    if _sent(target):
        pattern = _("{action} ordered {at}; the BMC did not take it yet, it is tried again")
        tone = "wait"
    elif target.state == TargetState.QUEUED:
        pattern = _("{action} ordered {at}, waits for a worker. Nothing has been sent.")
        tone = "wait"
    else:
        pattern = _("{action} ordered {at}, reading the state first. Nothing has been sent.")
        tone = "busy"
    return OrderLine(tone, format_html(pattern, action=label, at=clock(target.job.created_at)))


def _end_line(target: JobTarget, label: str) -> OrderLine:
    words: dict[str, Any] = {"action": label, "at": clock(target.ended_at)}
    state = target.state_enum
    if state is TargetState.SUCCEEDED:
        return OrderLine("done", format_html(_done_words(target), **words))
    if state is TargetState.ACCEPTED:
        words["at"] = clock(target.answered_at or target.ended_at)
        pattern = _("{action} accepted by the BMC {at}, effect not readable")
        return OrderLine("accepted", format_html(pattern, **words))
    if state is TargetState.SKIPPED:
        words["why"] = RESULT_WORDS.get(target.result, _("Nothing was sent."))
        return OrderLine("off", format_html(_("{action} {at}: {why}"), **words))
    if state is TargetState.CANCELLED:
        detail = "" if _sent(target) else _("Nothing was sent.")
        return OrderLine("off", format_html(_("{action} stopped {at}."), **words), detail)
    if state is TargetState.UNKNOWN:
        return _unknown_line(target, words)
    return _failed_line(target, words)


def _done_words(target: JobTarget) -> str:
    if target.result == PowerResult.RESTART_SEEN:
        return _("{action}: the restart was seen {at}")
    if target.final_power == "on":
        return _("On, verified {at}")
    if target.final_power == "off":
        return _("Off, verified {at}")
    return _("{action} verified {at}")


def _unknown_line(target: JobTarget, words: dict[str, Any]) -> OrderLine:
    if target.answered_at is not None:
        words["at"] = clock(target.answered_at)
        pattern = _("{action} accepted {at}; what it did could not be read.")
    else:
        words["at"] = clock(_sent_at(target))
        pattern = _("{action}: command sent at {at}, no answer. It is not sent again.")
    is_told = target.result in (PowerResult.NO_EVIDENCE, PowerResult.NOT_READABLE)
    return OrderLine(
        "unknown",
        format_html(pattern, **words),
        "" if is_told else _sentence(target.result),
        next_step=_("It may have run. Look at the server's console before you repeat it."),
    )


def _sentence(result: str) -> str:
    words = str(RESULT_WORDS.get(result, ""))
    return words if not words or words.endswith((".", "。")) else f"{words}."


def _failed_line(target: JobTarget, words: dict[str, Any]) -> OrderLine:
    text = format_html(_("{action} failed {at}."), **words)
    if target.result in RESULT_WORDS and target.result not in _NEEDS_FAULT_WORDS:
        return OrderLine("fail", text, _sentence(target.result))
    return OrderLine("fail", text, fault=target.result, params=target.result_params)


_NEEDS_FAULT_WORDS: Final = frozenset(
    {ResultCode.NO_CREDENTIAL.value, ResultCode.SECRET_UNREADABLE.value}
)


def _label(target: JobTarget) -> str | Promise:
    try:
        return ACTION_WORDS[PowerAction(target.job.params.get("action"))].label
    except ValueError:
        return _("Power order")


def _sent(target: JobTarget) -> list[dt.datetime]:
    """Return when commands of this target left."""
    return [attempt.sent_at for attempt in target.attempts.all() if attempt.sent_at]


def _sent_at(target: JobTarget) -> dt.datetime:
    """Return when the last command left, else when the target came to where it is."""
    return max(_sent(target), default=target.state_at)


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
    }
    return [words.get(key, key) for key in after if before.get(key) != after[key]]
