"""What Django admin shows of the apps of others."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.services.locks import lock_remove
from apps.core.admin import ReadOnlyAdmin


@admin.register(AccessAttempt)
class LockAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Wrong tries to sign in. Removing a row unlocks that name at that address."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time")
    search_fields = ("username", "ip_address")
    # What was sent along is nobody's business.
    fields = ("username", "ip_address", "user_agent", "failures_since_start", "attempt_time")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # the site lets admins in and nobody else

    def delete_model(self, request: HttpRequest, obj: AccessAttempt) -> None:
        actor: User = request.user  # type: ignore[assignment]  # the site lets no one else in
        lock_remove(actor=actor, attempt=obj)
