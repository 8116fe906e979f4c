"""How often somebody may try: 10 checks of a password or a code per account, then a pause.

A try is taken *before* the check, so that tries side by side cannot be more than there are. The
address does not matter: it can be forged or changed. Rows are those of django-axes, in the
database; `manage.py axes_reset_username NAME` ends a pause.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts import devices
from apps.accounts.models import User

_NOWHERE: Final = "0.0.0.0"  # noqa: S104  axes wants an address; tries are counted without one
_LONGEST_NAME: Final = 150


@dataclass(frozen=True, slots=True)
class Try:
    """One try that was taken, or that there was none left (`seconds` to wait)."""

    name: str
    device: str
    number: int
    seconds: int = 0

    @property
    def was_last(self) -> bool:
        return self.number >= settings.AXES_FAILURE_LIMIT


def pause() -> dt.timedelta:
    return dt.timedelta(hours=settings.AXES_COOLOFF_TIME)


def name_known(username: str) -> str:
    """Return a name that can be looked up: what no account can be called becomes another such."""
    strange = len(username) > _LONGEST_NAME or "\x00" in username
    return _digest(username) if strange else username


def try_take(request: HttpRequest, username: str) -> Try:
    """Take one try of this account, or learn how long none is left."""
    row = User.objects.filter(username=username).values_list("pk", "password").first()
    device = devices.device_of(request, *row) if row and devices.has_any(request) else ""
    # People type passwords into the field of the name: a name of nobody is not stored.
    return _take(username if row else _digest(username), device)


def try_give_back(taken: Try) -> None:
    """The check went well: it does not count. A known device starts anew."""
    rows = _rows(taken.name, taken.device)
    if taken.device:
        rows.delete()
    else:
        rows.filter(failures_since_start__gt=0).update(
            failures_since_start=F("failures_since_start") - 1
        )


def _take(name: str, device: str) -> Try:
    rows = _rows(name, device)
    # Each turn that finds the row changed means that another try was taken: it ends.
    while True:
        now = timezone.now()
        found = rows.values_list("failures_since_start", "attempt_time").first()
        if found is None:
            if _row_made(name, device):
                return Try(name, device, 1)
            continue
        number, at = found
        over = at <= now - pause()
        if number >= settings.AXES_FAILURE_LIMIT and not over:
            wait = math.ceil((at + pause() - now).total_seconds())
            return Try(name, device, number, max(wait, 1))
        number = 1 if over else number + 1
        same = rows.filter(failures_since_start=found[0], attempt_time=at)
        if same.update(failures_since_start=number, attempt_time=now):
            return Try(name, device, number)


def _row_made(name: str, device: str) -> bool:
    AccessAttempt.objects.filter(attempt_time__lte=timezone.now() - pause()).delete()
    row = AccessAttempt(
        username=name, ip_address=_NOWHERE, user_agent=device, failures_since_start=1
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _rows(name: str, device: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = AccessAttempt.objects.filter(
        username=name, ip_address=_NOWHERE, user_agent=device
    )
    return rows.order_by()


def _digest(username: str) -> str:
    return "?" + salted_hmac("accounts.tries", username, algorithm="sha256").hexdigest()


class TriesHandler(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    """Lets axes take a try before any backend checks a password, whatever door asks."""

    def is_allowed(self, request: Any, credentials: Any = None) -> bool:
        taken = try_take(request, (credentials or {}).get("username") or "")
        request.sign_in_try = taken
        return not taken.seconds

    def user_login_failed(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the try was taken before."""

    def user_logged_in(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the audit tells it."""

    def user_logged_out(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the audit tells it."""
