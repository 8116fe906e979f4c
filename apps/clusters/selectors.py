from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from apps.clusters.choices import ROLE_ORDER, Role
from apps.clusters.models import Cluster, RoleGrant, Site

if TYPE_CHECKING:
    from apps.accounts.models import User


def grants_of(user: User | AnonymousUser, at_least: Role) -> QuerySet[RoleGrant]:
    """Return the grants that give this person at least that role somewhere."""
    if not user.is_authenticated or not user.is_active:
        return RoleGrant.objects.none()
    return RoleGrant.objects.filter(user_id=user.pk, role__in=at_least.and_above())


def has_everywhere(user: User | AnonymousUser, at_least: Role) -> bool:
    return grants_of(user, at_least).filter(cluster__isnull=True).exists()


def roles_in(user: User | AnonymousUser, cluster_id: int | None) -> set[Role]:
    """Return every role this person holds in a cluster, weaker ones included; one query."""
    here = grants_of(user, Role.READONLY).filter(
        Q(cluster__isnull=True) | Q(cluster__isnull=False, cluster=cluster_id)
    )
    held = [ROLE_ORDER.index(Role(role)) for role in here.values_list("role", flat=True)]
    return set(ROLE_ORDER[: max(held) + 1]) if held else set()


def scope_filter(user: User | AnonymousUser, at_least: Role, cluster_path: str) -> Q:
    """Return the condition that keeps rows whose `cluster_path` this person's grants reach.

    A global grant reaches everything, also rows without a cluster.
    """
    grants = grants_of(user, at_least)
    if grants.filter(cluster__isnull=True).exists():
        return Q()
    return Q(**{f"{cluster_path}__in": grants.values("cluster_id")})


def clusters_visible(user: User | AnonymousUser) -> QuerySet[Cluster]:
    return Cluster.objects.filter(scope_filter(user, Role.READONLY, "pk"))


def sites_visible(user: User | AnonymousUser) -> QuerySet[Site]:
    """Return the sites with servers this person may see; all of them with a role everywhere.

    Operators of a cluster see all: they choose where a new BMC stands.
    """
    if has_everywhere(user, Role.READONLY) or grants_of(user, Role.OPERATOR).exists():
        return Site.objects.all()
    scope = scope_filter(user, Role.READONLY, "bmc__servers__cluster")
    return Site.objects.filter(scope).distinct()
