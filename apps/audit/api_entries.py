"""The audit over REST, for admins."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import PermissionDenied
from rest_framework.response import Response

from apps.audit.filtersets import EntryFilterSet
from apps.audit.models import AuditEntry
from apps.audit.rates import rated_api
from apps.audit.serializers import EntrySerializer
from apps.core.api import ApiRequest, Listing, api_view
from apps.core.api_docs import lists

ENTRIES: Final = Listing(EntrySerializer, {"-id": ("-pk",), "id": ()}, EntryFilterSet)


@lists("audit_entry", ENTRIES, "audit_entries")
@api_view("GET")
@rated_api("search", when=lambda request: "q" in request.GET)
def entry_list(request: ApiRequest) -> Response:
    """Every change and every command, newest first; for admins."""
    if not request.user.is_admin:
        raise PermissionDenied
    return ENTRIES.answer(request, AuditEntry.objects.visible_to(request.user))
