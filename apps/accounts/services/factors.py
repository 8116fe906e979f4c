"""Second factors: authenticator apps, security keys, recovery codes."""

from __future__ import annotations

from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt, encrypt
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.services import entry_record

Kind = Authenticator.Type
MOST_KEYS: Final = 10
_STEP: Final = "last_step"


def code_use(*, user: User, code: str) -> Authenticator | None:
    """Use up this code of an app, or recovery code; None if it is none or was used before."""
    code = "".join(code.split())
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user_id=user.pk)
        by_kind = {row.type: row for row in rows.exclude(type=Kind.WEBAUTHN)}
        app, codes = by_kind.get(Kind.TOTP), by_kind.get(Kind.RECOVERY_CODES)
        if app is not None and _app_use(app, code):
            return app
        if codes is not None and RecoveryCodes(codes).validate_code(code):
            Authenticator.objects.filter(pk=codes.pk).update(last_used_at=timezone.now())
            return codes
    return None


def _app_use(app: Any, code: str) -> bool:
    """Say whether it is a code of now, and let neither it nor an older one count again."""
    step = _step_of(decrypt(app.data["secret"]), code, after=app.data.get(_STEP, 0))
    if step is None:
        return False
    app.data[_STEP] = step
    app.last_used_at = timezone.now()
    app.save(update_fields=["data", "last_used_at"])
    return True


def _step_of(seed: str, code: str, *, after: int = 0) -> int | None:
    """Return the 30 s since 1970 of which this is the code, if they are about now."""
    for step in totp.yield_hotp_counters_from_time():
        value = totp.format_hotp_value(totp.hotp_value(seed, step))
        if step > after and totp.compare_user_code(actual=code, expected=value):
            return int(step)
    return None


def app_add(*, user: User, seed: str, code: str) -> list[str]:
    """Add an app that shows the codes of this seed. Returns recovery codes, if they are new.

    :raises ValidationError: the code is not of this seed, or there is an app already.
    """
    with transaction.atomic():
        _lock(user)
        if Authenticator.objects.filter(user_id=user.pk, type=Kind.TOTP).exists():
            raise ValidationError(_("There is an app already. Remove it first."))
        step = _step_of(seed, "".join(code.split()))
        if step is None:
            raise ValidationError(
                _("The code is not right. Look whether the clock of the phone is.")
            )
        data = {"secret": encrypt(seed), _STEP: step}
        Authenticator.objects.create(user=user, type=Kind.TOTP, data=data)
        return _added(user, {"factor": str(Kind.TOTP)})


def key_add(*, user: User, name: str, credential: dict[str, Any]) -> list[str]:
    """Add a security key. Returns recovery codes, if they are new.

    :raises ValidationError: there are too many.
    """
    with transaction.atomic():
        _lock(user)
        keys = Authenticator.objects.filter(user_id=user.pk, type=Kind.WEBAUTHN)
        if keys.count() >= MOST_KEYS:
            raise ValidationError(_("There are 10 keys already. Remove one first."))
        WebAuthn.add(user, name, credential)
        return _added(user, {"factor": str(Kind.WEBAUTHN), "name": name})


def _added(user: User, after: dict[str, Any]) -> list[str]:
    entry_record(actor=user, action="accounts.second_factor.add", obj=user, after=after)
    if Authenticator.objects.filter(user_id=user.pk, type=Kind.RECOVERY_CODES).exists():
        return []
    return recovery_codes_new(user=user)


def factor_remove(*, user: User, factor: Authenticator) -> None:
    """Remove an app or a key; recovery codes go with the last of them."""
    before = {"factor": factor.type}
    if factor.type == Kind.WEBAUTHN:
        before["name"] = factor.wrap().name
    with transaction.atomic():
        _lock(user)
        factor.delete()
        others = Authenticator.objects.filter(user_id=user.pk)
        if not others.exclude(type=Kind.RECOVERY_CODES).exists():
            others.delete()
        entry_record(actor=user, action="accounts.second_factor.remove", obj=user, before=before)


def recovery_codes_new(*, user: User) -> list[str]:
    """Return new recovery codes; those from before count no more."""
    with transaction.atomic():
        _lock(user)
        Authenticator.objects.filter(user_id=user.pk, type=Kind.RECOVERY_CODES).delete()
        codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
        entry_record(
            actor=user, action="accounts.recovery_codes.new", obj=user, after={"codes": len(codes)}
        )
    return codes


def _lock(user: User) -> None:
    User.objects.select_for_update().get(pk=user.pk)
