from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import QuerySet

from apps.clusters.choices import Role
from apps.clusters.selectors import grants_of


class GrantBackend(ModelBackend):
    """Django permissions of the role groups that a person holds everywhere.

    Groups come from `RoleGrant`, not from `User.groups`: one record of rights.
    """

    def _get_group_permissions(self, user_obj: Any) -> QuerySet[Permission]:
        roles = grants_of(user_obj, Role.READONLY).filter(cluster__isnull=True).values("role")
        return Permission.objects.filter(group__name__in=roles)
