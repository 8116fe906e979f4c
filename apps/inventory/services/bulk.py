"""What changes of many servers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.inventory.models import Server

MOST_SERVERS: Final = 5000
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """One server that cannot be changed, and why."""

    server: Server
    reasons: tuple[str, ...]


def servers_loaded(ids: Sequence[int], *, is_locked: bool = False) -> Iterator[list[Server]]:
    """Yield the servers in batches, with everything that `ServerFacts.of` needs, by their names."""
    ids = list(dict.fromkeys(ids))
    for start in range(0, len(ids), BATCH):
        rows = Server.objects.select_related("cluster", "rack__site", "bmc__site", "bmc__profile")
        rows = rows.select_related("status").prefetch_related("tags")
        if is_locked:
            rows = rows.select_for_update(of=("self",)).order_by("pk")
        yield list(rows.filter(pk__in=ids[start : start + BATCH]))


def operable_ids(actor: User, servers: Iterable[Server]) -> set[int]:
    """Return those of these servers that this person may change."""
    ids = [server.pk for server in servers]
    rows = Server.objects.actionable_by(actor, Role.OPERATOR).filter(pk__in=ids)
    return set(rows.order_by().values_list("pk", flat=True))


def not_operator() -> str:
    return _("You are not operator of its cluster.")


def saved_since() -> str:
    return _("Somebody saved it after this was shown. Look again.")
