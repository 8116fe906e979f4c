from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.audit.services import entry_record


def password_change(*, user: User, password: str) -> None:
    """Set what this person chose. Every session made with the password before ends."""
    with transaction.atomic():
        user.set_password(password)
        user.must_change_password = False
        user.version += 1
        user.save(update_fields=["password", "must_change_password", "version"])
        entry_record(actor=user, action="accounts.user.set_password", obj=user)
