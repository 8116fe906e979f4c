"""Changes to people and their keys, by what they are about."""

from __future__ import annotations

from apps.accounts.services.access import access_changed, access_end
from apps.accounts.services.people import (
    admin_ensure,
    grants_told,
    role_permissions_set,
    staff_follow,
)
from apps.accounts.services.tokens import LONGEST_DAYS, api_token_create, tokens_revoke

__all__ = [
    "LONGEST_DAYS",
    "access_changed",
    "access_end",
    "admin_ensure",
    "api_token_create",
    "grants_told",
    "role_permissions_set",
    "staff_follow",
    "tokens_revoke",
]
