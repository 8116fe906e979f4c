"""REST path of the audit."""

from __future__ import annotations

from apps.audit import api_entries
from apps.core.paths import api_path

app_name = "audit_api"

urlpatterns = [
    api_path("audit/", api_entries.entry_list, name="entry_list"),
]
