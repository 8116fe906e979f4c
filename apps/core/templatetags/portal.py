"""Tags and filters that every template has without loading them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core.actions import Action
from apps.core.faults import Fault, fault_of
from apps.core.panels import panel_render, panels_of

register = template.Library()

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon of the sprite; hidden from screen readers, the words beside it speak."""
    return format_html(
        '<svg class="bp-icon{}" width="18" height="18" aria-hidden="true">'
        '<use href="{}#{}"></use></svg>',
        f" {css}" if css else "",
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def fault(code: str, params: Mapping[str, Any] | None = None) -> Fault:
    """Words for a result code: `{% fault status.fault status.fault_params as f %}`."""
    return fault_of(code, params)


def zoned(at: dt.datetime, pattern: str) -> str:
    """Write a time in the reader's time zone, and name the zone: "14:35:48 UTC+8"."""
    moment = timezone.localtime(at)
    return f"{moment.strftime(pattern)} {zone_word(moment)}"


def zone_word(moment: dt.datetime) -> str:
    """Return "UTC", "UTC+8", "UTC-3:30": letters such as CST stand for more than one zone."""
    minutes = round((moment.utcoffset() or dt.timedelta()).total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}"


def is_today(at: dt.datetime) -> bool:
    """Say whether it is today where the reader is."""
    return timezone.localtime(at).date() == timezone.localtime().date()


def exact(at: dt.datetime) -> str:
    """Return the exact time for a tooltip."""
    return zoned(at, "%Y-%m-%d %H:%M:%S")


def age_words(seconds: float) -> str:
    """Return how long that is in one unit; the browser counts on with the same words."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return _("%(n)d s") % {"n": whole}
    if whole < _HOUR:
        return _("%(n)d min") % {"n": whole // _MINUTE}
    if whole < _DAY:
        return _("%(n)d h") % {"n": whole // _HOUR}
    return _("%(n)d d") % {"n": whole // _DAY}


@register.simple_tag
def age(at: dt.datetime | None, late_after: int | None = None) -> SafeString | str:
    """Print how old something is; it ticks in the browser. Late after two polling intervals."""
    if at is None:
        return ""
    seconds = (timezone.now() - at).total_seconds()
    limit = 2 * settings.POLL_SECONDS if late_after is None else late_after
    return format_html(
        '<time class="bp-age{}" datetime="{}" title="{}" data-late="{}">{}</time>',
        " is-old" if 0 < limit < seconds else "",
        at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        exact(at),
        limit,
        age_words(seconds),
    )


@register.simple_tag
def span(at: dt.datetime | None) -> SafeString | str:
    """Print an age that is never late: how long something has been going on."""
    return age(at, late_after=0)


@register.simple_tag
def since(at: dt.datetime | None) -> SafeString | str:
    """Print "since 14:02", with the day when it was not today."""
    if at is None:
        return ""
    text = timezone.localtime(at).strftime("%H:%M" if is_today(at) else "%Y-%m-%d %H:%M")
    return format_html(
        '<time class="bp-age" datetime="{}" title="{}">{}</time>',
        at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        exact(at),
        _("since %(time)s") % {"time": text},
    )


@register.filter
def clock(at: dt.datetime | None) -> SafeString | str:
    """Print a clock time for a fact: 14:35:48 UTC, with the day when it was not today."""
    if at is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        exact(at),
        zoned(at, "%H:%M:%S" if is_today(at) else "%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def initials(person: object) -> str:
    """Return two letters for a person: of first and last name, else of the user name."""
    words = [word for word in re.split(r"[\s._-]+", str(person)) if word]
    letters = words[0][0] + words[-1][0] if len(words) > 1 else str(person)[:2]
    return letters.upper()


@register.simple_tag(takes_context=True)
def in_section(context: template.Context, app: str, prefix: str = "") -> bool:
    """Say whether the page shown belongs to that part of the navigation."""
    request: HttpRequest | None = context.get("request")
    match = request.resolver_match if request else None
    return bool(match and match.app_name == app and (match.url_name or "").startswith(prefix))


@register.simple_tag
def error_ids(field: Any) -> str:
    """Return the ids that describe a form field: its hint, then its errors."""
    ids = []
    if field.help_text:
        ids.append(f"{field.auto_id}_hint")
    if field.errors:
        ids.append(f"{field.auto_id}_error")
    return " ".join(ids)


@register.simple_tag
def control(field: Any) -> SafeString:
    """Draw the control of a bound field with our classes, described by its hint and errors."""
    widget = field.field.widget
    kind = getattr(widget, "input_type", "")
    css = widget.attrs.get("class", "")
    if kind in ("checkbox", "radio"):
        base = "form-check-input"
    elif kind == "select":
        base = "form-select"
    else:
        base = "form-control"
    attrs: dict[str, Any] = {"class": f"{base} {css}".strip()}
    described = error_ids(field)
    if described:
        attrs["aria-describedby"] = described
    if field.errors:
        attrs["aria-invalid"] = "true"
        attrs["class"] += " is-invalid"
    return SafeString(field.as_widget(attrs=attrs))


@register.simple_tag
def now_iso() -> str:
    """Return the server's time, by which ages count in the browser."""
    return timezone.now().astimezone(dt.UTC).isoformat(timespec="milliseconds")


@register.simple_tag
def zone_minutes() -> int:
    """Return how far the reader's time zone is from UTC now, for times the browser writes."""
    return round((timezone.localtime().utcoffset() or dt.timedelta()).total_seconds() / 60)


@register.simple_tag(takes_context=True)
def panels(context: template.Context, page: str, region: str, obj: Any) -> SafeString:
    """Print what upper floors show in a region: `{% panels "inventory.server" "main" server %}`."""
    extra = {"request": context.get("request"), "csrf_token": context.get("csrf_token")}
    parts = [panel_render(panel, obj, extra) for panel in panels_of(page, region)]
    return SafeString("".join(parts))


@register.simple_tag
def action_url(action: Action, obj: Any) -> str:
    """Return where an action of this object begins: `{% action_url action server as url %}`."""
    return action.url(obj) if action.url else ""


@register.simple_tag
def action_why_not(action: Action, obj: Any) -> str:
    """Return why it cannot be done to this object now, or nothing."""
    return str(action.why_not(obj))


@register.simple_tag
def cells(columns: Iterable[Any], row: Any) -> SafeString:
    """Print the cells of a row: what each column says of it; plain texts are escaped.

    In one call, because a loop in the template takes four times as long for a page of rows.
    """
    parts = (
        f'<td class="{column.css}">{conditional_escape(column.cell(row))}</td>'
        for column in columns
    )
    return SafeString("".join(parts))
