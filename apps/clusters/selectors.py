from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from apps.clusters.choices import ROLE_ORDER, Role
from apps.clusters.models import Cluster, RoleGrant, Site

if TYPE_CHECKING:
    from apps.accounts.models import User


@dataclass(frozen=True, slots=True)
class Reach:
    """What one person's grants reach, read once: for pages that ask many times.

    It is as old as the request that read it; services that change something ask anew.
    """

    everywhere: Role | None
    clusters: Mapping[int, Role]

    def holds(self, at_least: Role) -> bool:
        """Say whether the person has at least that role somewhere."""
        return self.holds_everywhere(at_least) or any(
            role in at_least.and_above() for role in self.clusters.values()
        )

    def holds_everywhere(self, at_least: Role) -> bool:
        return self.everywhere in at_least.and_above()

    def scope(self, at_least: Role, cluster_path: str) -> Q:
        """Return the condition that `scope_filter` returns, without asking the database."""
        if self.holds_everywhere(at_least):
            return Q()
        enough = at_least.and_above()
        reached = sorted(pk for pk, role in self.clusters.items() if role in enough)
        return Q(**{f"{cluster_path}__in": reached})


def reach_of(user: User | AnonymousUser) -> Reach:
    """Read every grant of a person; one query."""
    grants = grants_of(user, Role.READONLY).values_list("cluster_id", "role")
    roles: dict[int | None, Role] = {cluster: capped(user, Role(role)) for cluster, role in grants}
    return Reach(roles.get(None), {pk: role for pk, role in roles.items() if pk is not None})


def reach_for(request: Any) -> Reach:
    """Return the reach of who asks, read at most once in a request."""
    reach: Reach | None = getattr(request, "reach", None)
    if reach is None:
        reach = request.reach = reach_of(request.user)
    return reach


def capped(user: User | AnonymousUser, role: Role) -> Role:
    """Return the role, or the lower one above which the token of this request does not go."""
    ceiling: Role | None = getattr(user, "role_ceiling", None)
    return role if ceiling is None or role in ROLE_ORDER[: ROLE_ORDER.index(ceiling)] else ceiling


def grants_of(user: User | AnonymousUser, at_least: Role) -> QuerySet[RoleGrant]:
    """Return the grants that give this person at least that role somewhere."""
    if not user.is_authenticated or not user.is_active or at_least != capped(user, at_least):
        return RoleGrant.objects.none()
    return RoleGrant.objects.filter(user_id=user.pk, role__in=at_least.and_above())


def has_everywhere(user: User | AnonymousUser | Reach, at_least: Role) -> bool:
    if isinstance(user, Reach):
        return user.holds_everywhere(at_least)
    return grants_of(user, at_least).filter(cluster__isnull=True).exists()


def has_somewhere(user: User | AnonymousUser | Reach, at_least: Role) -> bool:
    if isinstance(user, Reach):
        return user.holds(at_least)
    return grants_of(user, at_least).exists()


def roles_in(user: User | AnonymousUser, cluster_id: int | None) -> set[Role]:
    """Return every role this person holds in a cluster, weaker ones included; one query."""
    here = grants_of(user, Role.READONLY).filter(
        Q(cluster__isnull=True) | Q(cluster__isnull=False, cluster=cluster_id)
    )
    held = [
        ROLE_ORDER.index(capped(user, Role(role))) for role in here.values_list("role", flat=True)
    ]
    return set(ROLE_ORDER[: max(held) + 1]) if held else set()


def scope_filter(user: User | AnonymousUser | Reach, at_least: Role, cluster_path: str) -> Q:
    """Return the condition that keeps rows whose `cluster_path` this person's grants reach.

    A global grant reaches everything, also rows without a cluster.
    """
    if isinstance(user, Reach):
        return user.scope(at_least, cluster_path)
    grants = grants_of(user, at_least)
    if grants.filter(cluster__isnull=True).exists():
        return Q()
    return Q(**{f"{cluster_path}__in": grants.values("cluster_id")})


def clusters_visible(user: User | AnonymousUser | Reach) -> QuerySet[Cluster]:
    return Cluster.objects.filter(scope_filter(user, Role.READONLY, "pk"))


def sites_visible(user: User | AnonymousUser | Reach) -> QuerySet[Site]:
    """Return the sites with servers this person may see; all of them with a role everywhere.

    Operators of a cluster see all: they choose where a new BMC stands.
    """
    if has_everywhere(user, Role.READONLY) or has_somewhere(user, Role.OPERATOR):
        return Site.objects.all()
    scope = scope_filter(user, Role.READONLY, "bmc__servers__cluster")
    return Site.objects.filter(scope).distinct()
