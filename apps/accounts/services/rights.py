"""Who may change people. Admins only, and never so that no admin is left."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.clusters.selectors import has_everywhere
from apps.core.locks import rows_lock
from apps.core.stale import version_check


def admin_need(actor: User) -> None:
    """:raises PermissionDenied: anybody but an admin."""
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins change people")


def admins_lock(actor: User) -> None:
    """Hold who is admin until the transaction ends, and ask anew whether the actor still is.

    Call it first in the transaction. Of two admins who end each other's role at once, the second
    waits here, is no admin any more, and is refused: so one always stays.

    :raises PermissionDenied: the actor is no admin, or is disabled.
    """
    admin_need(actor)
    rows_lock(RoleGrant.objects.filter(role=Role.ADMIN))
    if not is_active_admin(actor):
        raise PermissionDenied("no admin any more")


def is_active_admin(user: User) -> bool:
    """Ask the database, not what was read when the request began."""
    held = RoleGrant.objects.filter(user=user, role=Role.ADMIN, user__is_active=True)
    return bool(held.exists())


def person_lock(user: User, expected_version: int | None) -> User:
    """Return the person as they are now, held until the transaction ends.

    :raises apps.core.stale.StaleObject: somebody saved them after this version was read.
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    version_check(locked, expected_version)
    return locked


def not_themselves(actor: User) -> str:
    """Say why nobody ends their own role as admin."""
    if RoleGrant.objects.filter(role=Role.ADMIN, user__is_active=True).exclude(user=actor).exists():
        return _("Another admin has to do this: nobody ends their own access.")
    return _("You are the only admin. Make another person admin first; that person can do this.")
