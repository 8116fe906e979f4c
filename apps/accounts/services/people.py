"""Who may come in, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services.access import access_changed
from apps.accounts.services.rights import (
    admins_lock,
    not_themselves,
    person_lock,
)
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.text import visible_text_validate

Grants = Mapping[int | None, Role]
"""Cluster → role; None: everywhere."""


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What an admin may say about a person."""

    username: str
    name: str
    email: str

    def told(self) -> dict[str, Any]:
        """Return plain values for the audit and for differences."""
        return {"username": self.username, "name": self.name, "email": self.email}


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """What people say about themselves. Empty: as the browser asks, or as the portal has it."""

    name: str
    email: str
    language: str
    time_zone: str
    theme: str

    def told(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "email": self.email,
            "language": self.language,
            "time_zone": self.time_zone,
            "theme": self.theme,
        }


def person_create(*, actor: User, facts: PersonFacts, grants: Grants) -> User:
    """Store a person without a password; a link lets them set one.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: by field; the user name is taken, for one.
    """
    with transaction.atomic():
        admins_lock(actor)
        user = person_build(facts)
        user.save()
        grants_write(user, grants)
        entry_record(
            actor=actor,
            action="accounts.user.create",
            obj=user,
            after={**person_told(user), "grants": grants_told(user)},
        )
    return user


def person_build(facts: PersonFacts) -> User:
    """Return an unsaved person without a password.

    :raises ValidationError: by field.
    """
    user = User()
    user.set_unusable_password()
    _facts_set(user, facts)
    return user


def person_update(
    *, actor: User, user: User, facts: PersonFacts, expected_version: int | None = None
) -> User:
    """Change what a person is called.

    :raises PermissionDenied, ValidationError: as `person_create`.
    :raises apps.core.stale.StaleObject: somebody saved them after this version was read.
    """
    with transaction.atomic():
        admins_lock(actor)
        user = person_lock(user, expected_version)
        before = person_told(user)
        if facts.told() == before:
            return user
        _facts_set(user, facts)
        user.version += 1
        user.save()
        entry_record(
            actor=actor, action="accounts.user.update", obj=user,
            before=before, after=person_told(user),
        )  # fmt: skip
    return user


def grants_set(
    *,
    actor: User,
    user: User,
    grants: Grants,
    reason: str = "",
    expected_version: int | None = None,
) -> User:
    """Give a person these roles and no others.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: admins would end their own role.
    :raises apps.core.stale.StaleObject: somebody saved them after this version was read.
    """
    with transaction.atomic():
        admins_lock(actor)
        user = person_lock(user, expected_version)
        if actor.pk == user.pk and grants.get(None) != Role.ADMIN:
            raise ValidationError(not_themselves(actor), code="yourself")
        before = grants_told(user)
        grants_write(user, grants)
        after = grants_told(user)
        if before == after:
            return user
        user.version += 1
        user.save(update_fields=["version"])
        access_changed(user=user)
        entry_record(
            actor=actor, action="accounts.grants.update", obj=user, reason=reason,
            before={"grants": before}, after={"grants": after},
        )  # fmt: skip
    return user


def grants_write(user: User, grants: Grants) -> None:
    """Make the stored grants these ones. It asks nobody and tells nobody: services call it."""
    stored = {grant.cluster_id: grant for grant in RoleGrant.objects.filter(user=user)}
    gone = [grant.pk for cluster, grant in stored.items() if cluster not in grants]
    RoleGrant.objects.filter(pk__in=gone).delete()
    for cluster, role in grants.items():
        if cluster not in stored:
            RoleGrant.objects.create(user=user, cluster_id=cluster, role=role)
        elif stored[cluster].role != role:
            RoleGrant.objects.filter(pk=stored[cluster].pk).update(role=role)
    staff_follow(user=user)


def profile_update(
    *, actor: User, facts: ProfileFacts, expected_version: int | None = None
) -> User:
    """Change what people say about themselves.

    :raises PermissionDenied: whoever was disabled meanwhile.
    :raises ValidationError: by field.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    with transaction.atomic():
        user = person_lock(actor, expected_version)
        if not user.is_active:
            raise PermissionDenied("disabled meanwhile")
        before = profile_told(user)
        if facts.told() == before:
            return user
        _name_set(user, facts.name)
        user.email = facts.email
        user.language, user.time_zone, user.theme = facts.language, facts.time_zone, facts.theme
        user.clean_fields(exclude=["password"])
        user.version += 1
        user.save()
        entry_record(
            actor=actor, action="accounts.user.profile", obj=user,
            before=before, after=profile_told(user),
        )  # fmt: skip
    return user


def language_keep(*, user: User, language: str) -> None:
    """Remember the language that a person chose in the menu; it is no change worth a line."""
    User.objects.filter(pk=user.pk).update(language=language)


def person_told(user: User) -> dict[str, Any]:
    """Return what a person is called, as the audit tells it."""
    return PersonFacts(user.username, user.get_full_name(), user.email).told()


def profile_told(user: User) -> dict[str, Any]:
    return ProfileFacts(
        user.get_full_name(), user.email, user.language, user.time_zone, user.theme
    ).told()


def _facts_set(user: User, facts: PersonFacts) -> None:
    """:raises ValidationError: by field."""
    user.username = User.normalize_username(facts.username)
    user.email = facts.email
    _name_set(user, facts.name)
    user.clean_fields(exclude=["password"])
    # "Anna" beside "anna" would be two people whom nobody tells apart.
    others = User.objects.filter(username__iexact=user.username).exclude(pk=user.pk)
    if others.exists():
        raise ValidationError({"username": _("This user name is taken.")})


def _name_set(user: User, name: str) -> None:
    """One name: not everybody has a first and a last one."""
    visible_text_validate(name)
    if name != user.get_full_name():
        user.first_name, user.last_name = name, ""


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
