from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.selectors import people_standing
from apps.clusters.choices import Role
from apps.clusters.selectors import grants_of


class GrantBackend(ModelBackend):
    """Django permissions of the role groups that a person holds everywhere.

    Groups come from `RoleGrant`, not from `User.groups`: one record of rights.
    """

    def get_user(self, user_id: Any) -> User | None:
        """Return who this session is of, with what the policy asks of them."""
        user = people_standing().filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None

    def _get_group_permissions(self, user_obj: Any) -> QuerySet[Permission]:
        roles = grants_of(user_obj, Role.READONLY).filter(cluster__isnull=True).values("role")
        return Permission.objects.filter(group__name__in=roles)
