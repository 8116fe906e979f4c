"""Changes to clusters and sites: by admins, kept in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db import transaction

from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import has_everywhere

if TYPE_CHECKING:
    from apps.accounts.models import User


def cluster_create(*, actor: User, name: str) -> Cluster:
    """:raises PermissionDenied: anybody but an admin."""
    cluster = Cluster(name=name)
    _store(actor, cluster, "clusters.cluster.create", before=None)
    return cluster


def cluster_update(*, actor: User, cluster: Cluster, name: str) -> Cluster:
    """:raises PermissionDenied: anybody but an admin."""
    before, cluster.name = cluster.name, name
    _store(actor, cluster, "clusters.cluster.update", before={"name": before})
    return cluster


def site_create(*, actor: User, name: str) -> Site:
    """:raises PermissionDenied: anybody but an admin."""
    site = Site(name=name)
    _store(actor, site, "clusters.site.create", before=None)
    return site


def site_update(*, actor: User, site: Site, name: str) -> Site:
    """:raises PermissionDenied: anybody but an admin."""
    before, site.name = site.name, name
    _store(actor, site, "clusters.site.update", before={"name": before})
    return site


def _store(actor: User, row: Cluster | Site, action: str, *, before: dict[str, str] | None) -> None:
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins change clusters and sites")
    with transaction.atomic():
        row.save()
        entry_record(actor=actor, action=action, obj=row, before=before, after={"name": row.name})
