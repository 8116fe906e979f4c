"""Who may come in, and what they may do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant


def admin_ensure(*, username: str, password: str, reason: str) -> User:
    """Make this person an admin who signs in with this password; new or not."""
    with transaction.atomic():
        user, is_new = User.objects.get_or_create(username=username)
        user.set_password(password)
        user.is_active = True
        user.save()
        RoleGrant.objects.update_or_create(user=user, cluster=None, defaults={"role": Role.ADMIN})
        staff_follow(user=user)
        action = "accounts.user.create" if is_new else "accounts.user.set_password"
        entry_record(actor=None, action=action, obj=user, reason=reason)
    return user


def staff_follow(*, user: User) -> None:
    """Open Django admin to admins and to nobody else; call it after grants changed."""
    is_admin = RoleGrant.objects.filter(user=user, role=Role.ADMIN).exists()
    if user.is_staff != is_admin or user.is_superuser:
        user.is_staff, user.is_superuser = is_admin, False
        user.save(update_fields=["is_staff", "is_superuser"])


def grants_told(user: User) -> dict[str, str]:
    """Return the grants as the audit tells them: cluster name or "*" → role."""
    rows = RoleGrant.objects.filter(user=user).values_list("cluster__name", "role")
    return {cluster or "*": role for cluster, role in rows}


def role_permissions_set(**_: Any) -> None:
    """Give the admin group every Django permission; runs after each migrate, as models come."""
    group, _created = Group.objects.get_or_create(name=Role.ADMIN)
    group.permissions.set(Permission.objects.all())
