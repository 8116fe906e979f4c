from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services.access import access_end
from apps.audit.services import entry_record


def password_change(*, user: User, password: str, keep_session: str | None) -> None:
    """Set what this person chose. Every session but this one ends, of scripts too."""
    with transaction.atomic():
        user.set_password(password)
        user.must_change_password = False
        user.version += 1
        user.save(update_fields=["password", "must_change_password", "version"])
        access_end(user=user, keep_session=keep_session)
        entry_record(actor=user, action="accounts.user.set_password", obj=user)
