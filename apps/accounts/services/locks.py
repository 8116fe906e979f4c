"""The pause after too many wrong tries to sign in."""

from __future__ import annotations

from axes.models import AccessAttempt
from django.db import transaction
from django.db.models import Model

from apps.accounts.models import User
from apps.audit.services import entry_record


def lock_remove(*, actor: User, attempt: AccessAttempt) -> None:
    """Forget the wrong tries of a name at an address: who is locked out may try again at once."""
    with transaction.atomic():
        person = User.objects.filter(username=attempt.username).first()
        told: Model = attempt if person is None else person
        before = {
            "username": attempt.username or "",
            "ip_address": attempt.ip_address or "",
            "failures": attempt.failures_since_start,
        }
        entry_record(actor=actor, action="accounts.lock.remove", obj=told, before=before)
        attempt.delete()
