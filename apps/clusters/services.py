"""Changes to clusters and sites: by admins, kept in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import has_everywhere
from apps.core.stale import version_check
from apps.core.usage import used_by

if TYPE_CHECKING:
    from apps.accounts.models import User

RowT = TypeVar("RowT", Cluster, Site)


def cluster_create(*, actor: User, name: str) -> Cluster:
    """:raises PermissionDenied: anybody but an admin."""
    return _create(actor, Cluster(name=name))


def cluster_update(
    *, actor: User, cluster: Cluster, name: str, expected_version: int | None = None
) -> Cluster:
    """:raises PermissionDenied: anybody but an admin.

    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    :raises Cluster.DoesNotExist: it was removed meanwhile.
    """
    return _update(actor, cluster, name, expected_version)


def cluster_delete(*, actor: User, cluster: Cluster, expected_version: int | None = None) -> None:
    """Remove a cluster that nothing uses.

    :raises PermissionDenied, apps.core.stale.StaleObject, Cluster.DoesNotExist: as the update.
    :raises ValidationError: it is used; the sentence says by what.
    """
    _delete(actor, cluster, expected_version)


def site_create(*, actor: User, name: str) -> Site:
    """:raises PermissionDenied: anybody but an admin."""
    return _create(actor, Site(name=name))


def site_update(*, actor: User, site: Site, name: str, expected_version: int | None = None) -> Site:
    """:raises: as `cluster_update`."""
    return _update(actor, site, name, expected_version)


def site_delete(*, actor: User, site: Site, expected_version: int | None = None) -> None:
    """:raises: as `cluster_delete`."""
    _delete(actor, site, expected_version)


def _need_admin(actor: User) -> None:
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins change clusters and sites")


def _create(actor: User, row: RowT) -> RowT:
    _need_admin(actor)
    with transaction.atomic():
        row.save()
        entry_record(actor=actor, action=_action(row, "create"), obj=row, after={"name": row.name})
    return row


def _update(actor: User, row: RowT, name: str, expected_version: int | None) -> RowT:
    _need_admin(actor)
    with transaction.atomic():
        row = type(row)._default_manager.select_for_update().get(pk=row.pk)
        version_check(row, expected_version)
        before, row.name = row.name, name
        if before == name:
            return row
        row.version += 1
        row.save()
        entry_record(
            actor=actor, action=_action(row, "update"), obj=row,
            before={"name": before}, after={"name": name},
        )  # fmt: skip
    return row


def _delete(actor: User, row: Cluster | Site, expected_version: int | None) -> None:
    _need_admin(actor)
    with transaction.atomic():
        row = type(row)._default_manager.select_for_update().get(pk=row.pk)
        version_check(row, expected_version)
        if uses := used_by(row._meta.label_lower, row):
            words = ", ".join(use.words for use in uses)
            raise ValidationError(_("It is used by %(uses)s.") % {"uses": words})
        entry_record(actor=actor, action=_action(row, "delete"), obj=row, before={"name": row.name})
        try:
            row.delete()
        except ProtectedError:  # something came to use it at this very moment
            raise ValidationError(_("Something uses it. Look again.")) from None


def _action(row: Cluster | Site, verb: str) -> str:
    return f"{row._meta.label_lower}.{verb}"
