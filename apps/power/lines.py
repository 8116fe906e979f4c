"""One order in words: what is known, why, what to do next, and what can still be stopped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.bmc import PowerAction
from apps.core.faults import fault_of
from apps.core.templatetags.portal import clock, exact, zoned
from apps.jobs.choices import OPEN, UNSENT, TargetState
from apps.jobs.models import JobTarget
from apps.power.choices import ACTION_WORDS, IDENTIFY_KIND, PowerResult, result_words
from apps.power.timing import timing

MOST_WORDS_SECONDS: Final = 90


@dataclass(frozen=True, slots=True)
class OrderButton:
    """What can still be done about an order. Whether this person may is asked when it is pressed:
    nothing in a line depends on who looks."""

    url: str
    label: str
    fields: Mapping[str, int] = field(default_factory=dict)


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
    lead: str = ""
    """Why there is this order at all, where nobody pressed for it just now."""
    button: OrderButton | None = None

    @property
    def mark(self) -> str:
        """A class of the dot in `bp-time`."""
        return {"done": "t-ok", "fail": "t-crit", "unknown": "t-unk"}.get(self.tone, "t-act")


def line_of(target: JobTarget) -> OrderLine:
    """Tell where an order stands. What was read and when; never more than is known."""
    label = str(label_of(target))
    line = _open_line(target, label) if target.state in OPEN else _end_line(target, label)
    if target.job.follows_id is not None:
        line = replace(line, lead=_("Chosen with the soft off, which left it on:"))
    return line


def label_of(target: JobTarget) -> str | Promise:
    """Name what was ordered."""
    if target.job.kind == IDENTIFY_KIND:
        seconds = _light_seconds(target)
        if seconds:
            return format_html(_("Identify light for {n} s"), n=seconds)
        return _("Identify light off")
    try:
        return ACTION_WORDS[PowerAction(target.job.params.get("action"))].label
    except ValueError:
        return _("Power order")


def countdown(at: dt.datetime) -> SafeString:
    """Print "at 14:02:16 UTC"; the browser makes "in 5 s" of it, and counts."""
    return format_html(
        '<time class="bp-count" datetime="{}" title="{}" data-countdown="{}" data-over="{}">{}'
        "</time>",
        at.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
        exact(at),
        _("in {n} s"),
        _("now"),
        _("at %(time)s") % {"time": zoned(at, "%H:%M:%S")},
    )


# -------------------------------------------------------------------- open


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
    line = OrderLine("busy", format_html(pattern, action=label, at=clock(at)))
    return _with_escalation(target, line)


def _unsent_line(target: JobTarget, label: str) -> OrderLine:
    """Nothing is under way to the BMC; an earlier try may have been turned down by it."""
    at: SafeString | str = clock(target.job.created_at)
    detail = ""
    if _sent(target):
        pattern = _("{action} ordered {at}; the BMC did not take it yet, it is tried again")
        tone = "wait"
    elif target.state == TargetState.QUEUED and target.release_at > timezone.now():
        at = countdown(target.release_at)
        pattern = _("{action} is sent {at}")
        detail = _("Nothing has been sent yet. Leaving this page does not cancel it.")
        tone = "wait"
    elif target.state == TargetState.QUEUED:
        pattern = _("{action} ordered {at}, waits for a worker. Nothing has been sent.")
        tone = "wait"
    else:
        pattern = _("{action} ordered {at}, reading the state first. Nothing has been sent.")
        tone = "busy"
    line = OrderLine(tone, format_html(pattern, action=label, at=at), detail)
    return replace(_with_escalation(target, line), button=_stop_button(target, _("Cancel")))


def _with_escalation(target: JobTarget, line: OrderLine) -> OrderLine:
    """Say that the power is cut if the soft off does not end in time, as somebody chose."""
    job = target.job
    if job.params.get("escalate") is not True:
        return line
    if job.stop_requested_at is not None:
        called_off = clock(job.stop_requested_at)
        words = format_html(_("The power is not cut: called off {at}."), at=called_off)
        return replace(line, detail=words)
    if target.verify_until is None or target.state in UNSENT:
        plain = _("If it is still on after %(time)s, the power is cut.") % {
            "time": duration_words(timing().verify_soft_off)
        }
        return replace(line, detail=f"{line.detail} {plain}".strip())
    words = format_html(
        _("If it is still on at {at}, the power is cut."), at=clock(target.verify_until)
    )
    return replace(line, detail=words, button=_stop_button(target, _("Do not cut the power")))


def _stop_button(target: JobTarget, label: str) -> OrderButton | None:
    """Only where stopping the job stops nothing on other servers."""
    if not getattr(target, "is_alone", False) or target.job.stop_requested_at is not None:
        return None
    return OrderButton(reverse("power:order_stop", args=[target.server_id, target.job_id]), label)


def duration_words(seconds: float) -> str:
    """Return "10 minutes"; short times in seconds."""
    if seconds < MOST_WORDS_SECONDS:
        return _("%(n)d s") % {"n": round(seconds)}
    return _("%(n)d minutes") % {"n": round(seconds / 60)}


# -------------------------------------------------------------------- ended


def _end_line(target: JobTarget, label: str) -> OrderLine:
    words: dict[str, Any] = {"action": label, "at": clock(target.ended_at)}
    state = target.state_enum
    if state is TargetState.SUCCEEDED:
        line = OrderLine("done", format_html(_done_words(target), **words))
        return replace(line, button=_light_button(target))
    if state is TargetState.ACCEPTED:
        words["at"] = clock(target.answered_at or target.ended_at)
        pattern = _("{action} accepted by the BMC {at}, effect not readable")
        return OrderLine("accepted", format_html(pattern, **words), button=_light_button(target))
    if state is TargetState.SKIPPED:
        words["why"] = result_words(target.result) if target.result else _("Nothing was sent.")
        return OrderLine("off", format_html(_("{action} {at}: {why}"), **words))
    if state is TargetState.CANCELLED:
        detail = "" if _sent(target) else _("Nothing was sent.")
        return OrderLine("off", format_html(_("{action} stopped {at}."), **words), detail)
    if state is TargetState.UNKNOWN:
        return _unknown_line(target, words)
    return _failed_line(target, words)


def _done_words(target: JobTarget) -> str:
    if target.job.kind == IDENTIFY_KIND:
        return _("{action}: verified {at}")
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
    # The title alone: the causes of other results say that nothing was sent.
    detail = "" if is_told or not target.result else fault_of(target.result).title
    next_step = _("It may have run. Look at the server's console before you repeat it.")
    if target.job.kind == IDENTIFY_KIND:
        next_step = _("Order it again: it changes nothing but the light.")
    return OrderLine("unknown", format_html(pattern, **words), detail, next_step=next_step)


def _failed_line(target: JobTarget, words: dict[str, Any]) -> OrderLine:
    text = format_html(_("{action} failed {at}."), **words)
    is_escalation = target.job.params.get("escalate") is True
    if target.result == PowerResult.STILL_ON and is_escalation:
        detail = fault_of(target.result).title
        if getattr(target, "is_followed", False):
            return OrderLine("fail", text, detail, _("The power is cut, as chosen before."))
        return OrderLine("fail", text, detail, _("The power was not cut: it was called off."))
    return OrderLine("fail", text, fault=target.result, params=target.result_params)


def _light_button(target: JobTarget) -> OrderButton | None:
    seconds = _light_seconds(target)
    if not seconds or target.ended_at is None:
        return None
    if target.ended_at + dt.timedelta(seconds=seconds) < timezone.now():
        return None
    url = reverse("power:server_identify", args=[target.server_id])
    return OrderButton(url, _("Turn it off"), {"seconds": 0})


def _light_seconds(target: JobTarget) -> int:
    seconds = target.job.params.get("seconds")
    return seconds if isinstance(seconds, int) else 0


def _sent(target: JobTarget) -> list[dt.datetime]:
    """Return when commands of this target left."""
    return [attempt.sent_at for attempt in target.attempts.all() if attempt.sent_at]


def _sent_at(target: JobTarget) -> dt.datetime:
    """Return when the last command left, else when the target came to where it is."""
    return max(_sent(target), default=target.state_at)
