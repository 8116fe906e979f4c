"""How people come in."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import AccessPolicy, User
from apps.accounts.services.rights import admins_lock
from apps.audit.services import entry_record
from apps.core.stale import version_check


def policy_update(
    *,
    actor: User,
    second_factor_from: str,
    registration: str,
    expected_version: int | None = None,
) -> AccessPolicy:
    """Say which roles need a second factor, and how people come to have an account.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: by field, for words that are no choices.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    with transaction.atomic():
        admins_lock(actor)
        AccessPolicy.objects.get_or_create(pk=1)
        policy = AccessPolicy.objects.select_for_update().get(pk=1)
        version_check(policy, expected_version)
        before = policy_told(policy)
        policy.second_factor_from, policy.registration = second_factor_from, registration
        if policy_told(policy) == before:
            return policy
        policy.clean_fields()
        policy.version += 1
        policy.save()
        entry_record(
            actor=actor,
            action="accounts.policy.update",
            obj=policy,
            before=before,
            after=policy_told(policy),
        )
    return policy


def policy_told(policy: AccessPolicy) -> dict[str, Any]:
    return {
        "second_factor_from": policy.second_factor_from,
        "registration": policy.registration,
    }
