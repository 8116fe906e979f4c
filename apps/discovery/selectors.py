from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.discovery.models import ConnectionTest
from apps.inventory.models import Bmc, Server


def tests_full() -> QuerySet[ConnectionTest]:
    return ConnectionTest.objects.select_related("requested_by", "site", "profile")


def tests_visible_to(user: User | AnonymousUser) -> QuerySet[ConnectionTest]:
    """Keep the tests this person ordered (while they see its server), and those of servers on which
    they are operator."""
    if not user.is_authenticated:
        return tests_full().none()
    seen = Q(server__isnull=True) | Q(server__in=Server.objects.visible_to(user).values("pk"))
    operated = Server.objects.actionable_by(user, Role.OPERATOR)
    mine = Q(requested_by_id=user.pk) & seen
    return tests_full().filter(mine | Q(server__in=operated.values("pk")))


def newest_test(server: Server) -> ConnectionTest | None:
    """Return the newest test of this server as it is in the record now."""
    bmc = server.bmc
    tests = tests_full().filter(
        server=server, address=bmc.address, port=bmc.port, profile=bmc.profile_id
    )
    return tests.first()


def owner_key(test: ConnectionTest) -> int | str:
    """Return by what the worker of a test is found: the BMC itself where it is in the inventory, so
    that its session is used and no second one opened."""
    bmc = bmc_of(test)
    return bmc.pk if bmc else f"{test.address}:{test.port}"


def bmc_of(test: ConnectionTest) -> Bmc | None:
    """Return the BMC of the inventory that is tested; None: it is at an address that is only
    typed, or is to be reached from another site."""
    if test.server is None:
        return None
    bmc = test.server.bmc
    is_there = (bmc.address, bmc.port, bmc.site_id) == (test.address, test.port, test.site_id)
    return bmc if is_there else None
