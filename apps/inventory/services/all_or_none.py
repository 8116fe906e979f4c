"""Many servers at once: all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.stale import StaleObject
from apps.inventory.models import Server
from apps.inventory.services.facts import ServerFacts
from apps.inventory.services.servers import server_create, server_update
from apps.inventory.services.status import servers_changed

MOST_AT_ONCE: Final = 500

Refusal = ValidationError | PermissionDenied | StaleObject | IntegrityError


class BulkRefused(Exception):
    """Nothing was stored. `refusals` has what is wrong, by the index of the item."""

    def __init__(self, refusals: dict[int, Refusal]) -> None:
        super().__init__(f"{len(refusals)} items")
        self.refusals = refusals


@dataclass(frozen=True, slots=True)
class ServerChange:
    """One server, what it shall be, and the version that was read."""

    server: Server
    facts: ServerFacts
    expected_version: int | None = None


def servers_create(*, actor: User, facts: Sequence[ServerFacts]) -> list[Server]:
    """Store servers in one transaction; each sees the ones before it.

    Resolve names before (`addresses.resolved_once`): a transaction waits for no name server.

    :raises BulkRefused: with every problem of every item.
    """
    return _all_or_none(
        [
            lambda one=one: server_create(actor=actor, facts=one, push=False)  # type: ignore[misc]  # bound at once
            for one in facts
        ]
    )


def servers_update(*, actor: User, changes: Sequence[ServerChange]) -> list[Server]:
    """Change servers in one transaction; each sees the ones before it. Names as above.

    :raises BulkRefused: with every problem of every item.
    """
    return _all_or_none(
        [
            lambda one=one: server_update(  # type: ignore[misc]  # bound at once
                actor=actor,
                server=one.server,
                facts=one.facts,
                expected_version=one.expected_version,
                push=False,
            )
            for one in changes
        ]
    )


def _all_or_none(calls: Sequence[Callable[[], Server]]) -> list[Server]:
    stored: list[Server] = []
    refusals: dict[int, Refusal] = {}
    with transaction.atomic():
        for index, call in enumerate(calls):
            try:
                with transaction.atomic():
                    stored.append(call())
            except (ValidationError, PermissionDenied, StaleObject, IntegrityError) as error:
                refusals[index] = error
        if refusals:
            raise BulkRefused(refusals)
        servers_changed(server.pk for server in stored)
    return stored
