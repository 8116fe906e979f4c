from __future__ import annotations

from django.contrib import admin

from apps.audit.models import AuditEntry
from apps.core.admin import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("at", "actor_name", "action", "object_name", "reason", "request_id")
    list_filter = ("action",)
    search_fields = ("actor_name", "object_name", "reason", "request_id")
