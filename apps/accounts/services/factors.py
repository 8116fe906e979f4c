"""Second factors: authenticator apps, security keys, recovery codes."""

from __future__ import annotations

from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User

Kind = Authenticator.Type
_STEP: Final = "last_step"


def code_use(*, user: User, code: str) -> Authenticator | None:
    """Use up this code of an app, or recovery code; None if it is none or was used before."""
    code = "".join(code.split())
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user_id=user.pk)
        by_kind = {row.type: row for row in rows.exclude(type=Kind.WEBAUTHN)}
        app, codes = by_kind.get(Kind.TOTP), by_kind.get(Kind.RECOVERY_CODES)
        if app is not None and _step_use(app, code):
            return app
        if codes is not None and RecoveryCodes(codes).validate_code(code):
            Authenticator.objects.filter(pk=codes.pk).update(last_used_at=timezone.now())
            return codes
    return None


def _step_use(app: Any, code: str) -> bool:
    """Say whether it is a code of now, and let neither it nor an older one count again."""
    secret = decrypt(app.data["secret"])
    last = app.data.get(_STEP, 0)
    for step in totp.yield_hotp_counters_from_time():
        value = totp.format_hotp_value(totp.hotp_value(secret, step))
        if step > last and totp.compare_user_code(actual=code, expected=value):
            app.data[_STEP] = step
            app.last_used_at = timezone.now()
            app.save(update_fields=["data", "last_used_at"])
            return True
    return False
