"""Second factors for tests: an app with a known seed, recovery codes, and a clock for codes."""

from __future__ import annotations

import time
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.test import Client
from django.urls import reverse

from apps.accounts.models import AccessPolicy, User
from apps.clusters.choices import Role
from apps.core.testing import PASSWORD

SEED: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def app_add(user: User) -> Authenticator:
    found: Authenticator = totp.TOTP.activate(user, SEED).instance
    return found


def app_code(seed: str = SEED, *, steps: int = 0) -> str:
    """Return the code that the app shows now, or so many times 30 s later."""
    return str(totp.format_hotp_value(totp.hotp_value(seed, int(time.time()) // 30 + steps)))


def wrong_code(seed: str = SEED) -> str:
    """Return six digits that are none of the codes of these minutes."""
    near = {app_code(seed, steps=step) for step in range(-3, 4)}
    return next(code for code in map(str, range(100_000, 100_010)) if code not in near)


def recovery_codes_add(user: User) -> list[str]:
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    return codes


def policy_asks(role: Role | str) -> None:
    AccessPolicy.objects.update_or_create(pk=1, defaults={"second_factor_from": role})


def enter(client: Client, password: str = PASSWORD, **more: str) -> Any:
    """Sign in as Anna."""
    given = {"username": "anna", "password": password} | more
    return client.post(reverse("accounts:sign_in"), given)
