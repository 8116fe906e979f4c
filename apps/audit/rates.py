"""How often something may be done: counted in the database, so a Redis that forgets opens no door.

Every key has one number: the time at which nothing of what was done counts any more. Doing
something once moves it on by `seconds / count`; what would move it further than `seconds` from now
is refused and not counted. So `count` may come at once, and then one after another as time passes.
"""

from __future__ import annotations

import ipaddress
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.audit.models import RateCount
from apps.core.http import is_fragment
from apps.core.problems import Problem

ViewT = TypeVar("ViewT", bound=Callable[..., Any])

ADDRESS: Final = "address"
FORGET_EVERY: Final = 100
FORGET_AT_ONCE: Final = 1000
FORGET_AFTER_SECONDS: Final = 3600
"""Longer than clocks of web servers are apart: which rows say nothing is judged by theirs."""
_ROUNDING_SECONDS: Final = 0.001
_NOW: Final = {
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
_TAKE: Final = """
INSERT INTO {table} ("key", free_at) VALUES (%(key)s, {now} + %(step)s)
ON CONFLICT ("key") DO UPDATE SET free_at = %(step)s +
    CASE WHEN {table}.free_at > {now} THEN {table}.free_at ELSE {now} END
WHERE {table}.free_at + %(step)s <= {now} + %(seconds)s
RETURNING 1
"""
_WAIT: Final = 'SELECT free_at + %(step)s - %(seconds)s - {now} FROM {table} WHERE "key" = %(key)s'

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` times at once, and as many within every `seconds`."""

    name: str
    count: int
    seconds: int

    @classmethod
    def named(cls, name: str) -> Rate:
        """Return the one of `settings.RATES`."""
        count, seconds = settings.RATES[name]
        return cls(name, count, seconds)


def rate_take(rate: Rate, whose: str) -> float:
    """Count one; return 0, or, if it is one too many, the seconds until the next is let through.

    One statement, so any number at the same moment are each counted. Call it outside of
    transactions: whoever waits for a row held by one waits for its end.
    """
    given: dict[str, Any] = {"key": f"{rate.name} {whose}", "step": rate.seconds / rate.count}
    with connection.cursor() as cursor:
        cursor.execute(_sql(_TAKE), {**given, "seconds": rate.seconds + _ROUNDING_SECONDS})
        if cursor.fetchone():
            # There is a row for each person, but there may be any number of addresses.
            if whose.startswith(ADDRESS) and secrets.randbelow(FORGET_EVERY) == 0:
                rates_forget(FORGET_AT_ONCE)
            return 0.0
        cursor.execute(_sql(_WAIT), {**given, "seconds": rate.seconds})
        row = cursor.fetchone()
    return max(float(row[0]), _ROUNDING_SECONDS) if row else 0.0


def rates_forget(most: int) -> int:
    """Delete rows that say nothing any more, so many at once; return how many it were."""
    old = RateCount.objects.filter(free_at__lt=time.time() - FORGET_AFTER_SECONDS)
    with transaction.atomic():
        # Two that tidy up at once pass each other's rows by.
        locked = old.select_for_update(skip_locked=True).order_by("free_at")
        keys = list(locked.values_list("pk", flat=True)[:most])
        return RateCount.objects.filter(pk__in=keys).delete()[0] if keys else 0


def _sql(template: str) -> str:
    table = connection.ops.quote_name(RateCount._meta.db_table)
    return template.format(table=table, now=_NOW[connection.vendor])


# ------------------------------------------------------------------ who asks


def by_address(request: HttpRequest) -> str:
    """Name the address a request comes from, whoever is signed in there.

    `X-Forwarded-For` is not looked at: the web server has put the address into REMOTE_ADDR if the
    proxy is one that it was told to trust. Of IPv6 a person has a whole /64.
    """
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR") or "")
    except ValueError:
        return f"{ADDRESS} unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return f"{ADDRESS} {address}"
    if address.ipv4_mapped:
        return f"{ADDRESS} {address.ipv4_mapped}"
    return f"{ADDRESS} {ipaddress.ip_network((address, 64), strict=False)}"


def by_person(request: HttpRequest) -> str:
    """Name the person; who is not signed in counts by their address."""
    user = getattr(request, "user", None)
    return f"person {user.pk}" if user is not None and user.pk else by_address(request)


def always(request: HttpRequest) -> bool:
    return True


def is_sent(request: HttpRequest) -> bool:
    """Say whether something is to be done, not only shown."""
    return request.method not in ("GET", "HEAD", "OPTIONS")


Whose = Callable[[HttpRequest], str]
When = Callable[[HttpRequest], bool]


# ------------------------------------------------------------------ doors


def rated(name: str, *, whose: Whose = by_person, when: When = always) -> Callable[[ViewT], ViewT]:
    """Limit a page by the rate of that name: what is too much gets 429 and a sentence."""

    def decorate(view: ViewT) -> ViewT:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            wait = _wait(name, request, whose, when)
            return _page(request, wait) if wait else view(request, *args, **kwargs)

        return cast(ViewT, wrapper)

    return decorate


def rated_api(
    name: str, *, whose: Whose = by_person, when: When = always
) -> Callable[[ViewT], ViewT]:
    """Limit a REST view, under its `api_view`: what is too much gets the problem 429."""

    def decorate(view: ViewT) -> ViewT:
        @wraps(view)
        def wrapper(request: Any, *args: Any, **kwargs: Any) -> Any:
            if wait := _wait(name, request, whose, when):
                told = {"Retry-After": str(wait)}
                raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail=_sentence(wait), headers=told)
            return view(request, *args, **kwargs)

        return cast(ViewT, wrapper)

    return decorate


def _wait(name: str, request: Any, whose: Whose, when: When) -> int:
    """Return whole seconds to wait, 0 for none."""
    if not when(request):
        return 0
    wait = math.ceil(rate_take(Rate.named(name), whose(request)))
    if wait:
        log.warning("rate_exceeded", rate=name, whose=whose(request), wait_seconds=wait)
    return wait


def _page(request: HttpRequest, wait: int) -> HttpResponse:
    sentence = _sentence(wait)
    if is_fragment(request):
        words = _("Too many requests within a short time")
        told = [Message(messages.WARNING, f"{words}. {sentence}")]
        context = {"messages": told, "oob": True}
        response = render(request, "shared/_toasts.html", context, status=429)
        response["HX-Reswap"] = "none"  # what stands there stays; the toast comes out of band
    else:
        response = render(request, "429.html", {"sentence": sentence}, status=429)
    response["Retry-After"] = str(wait)
    response["Cache-Control"] = "no-store"
    return response


def _sentence(wait: int) -> str:
    if wait < 120:
        words = ngettext(
            "Nothing was done. It is open again in %(n)d s.",
            "Nothing was done. It is open again in %(n)d s.",
            wait,
        )
        return words % {"n": wait}
    return _("Nothing was done. It is open again in %(n)d min.") % {"n": math.ceil(wait / 60)}
