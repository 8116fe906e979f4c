"""Changes to clusters and sites: by admins, kept in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, RoleGrant, Site
from apps.clusters.selectors import has_everywhere
from apps.core.stale import version_check

if TYPE_CHECKING:
    from apps.accounts.models import User

RowT = TypeVar("RowT", Cluster, Site)


def cluster_create(*, actor: User, name: str) -> Cluster:
    """:raises PermissionDenied: anybody but an admin."""
    return _create(actor, Cluster(name=name), "clusters.cluster.create")


def cluster_update(
    *, actor: User, cluster: Cluster, name: str, expected_version: int | None = None
) -> Cluster:
    """:raises PermissionDenied: anybody but an admin.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    return _rename(actor, cluster, name, expected_version, "clusters.cluster.update")


def cluster_delete(*, actor: User, cluster: Cluster, expected_version: int | None = None) -> None:
    """Remove a cluster that holds no servers, and in which nobody holds a role.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: something uses it.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    _need_admin(actor)
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().get(pk=cluster.pk)
        version_check(cluster, expected_version)
        if RoleGrant.objects.filter(cluster=cluster).exists():
            raise ValidationError(
                _("People hold roles in it. Take the roles back first."), code="in_use"
            )
        _delete(actor, cluster, "clusters.cluster.delete", _("Servers belong to it. Move them."))


def site_create(*, actor: User, name: str) -> Site:
    """:raises PermissionDenied: anybody but an admin."""
    return _create(actor, Site(name=name), "clusters.site.create")


def site_update(*, actor: User, site: Site, name: str, expected_version: int | None = None) -> Site:
    """:raises PermissionDenied: anybody but an admin.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    return _rename(actor, site, name, expected_version, "clusters.site.update")


def site_delete(*, actor: User, site: Site, expected_version: int | None = None) -> None:
    """Remove a site where no BMC and no rack stands.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: something uses it.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    _need_admin(actor)
    with transaction.atomic():
        site = Site.objects.select_for_update().get(pk=site.pk)
        version_check(site, expected_version)
        _delete(actor, site, "clusters.site.delete", _("BMCs or racks stand there. Move them."))


def _create(actor: User, row: RowT, action: str) -> RowT:
    _need_admin(actor)
    with transaction.atomic():
        row.save()
        entry_record(actor=actor, action=action, obj=row, after={"name": row.name})
    return row


def _rename(actor: User, row: RowT, name: str, expected_version: int | None, action: str) -> RowT:
    _need_admin(actor)
    with transaction.atomic():
        stored: RowT = type(row)._default_manager.select_for_update().get(pk=row.pk)
        version_check(stored, expected_version)
        before = stored.name
        if name == before:
            return stored
        stored.name = name
        stored.version += 1
        stored.save()
        entry_record(
            actor=actor, action=action, obj=stored, before={"name": before}, after={"name": name}
        )
    return stored


def _delete(actor: User, row: Cluster | Site, action: str, in_use: str) -> None:
    entry_record(actor=actor, action=action, obj=row, before={"name": row.name})
    try:
        row.delete()
    except ProtectedError:
        raise ValidationError(in_use) from None


def _need_admin(actor: User) -> None:
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins change clusters and sites")
