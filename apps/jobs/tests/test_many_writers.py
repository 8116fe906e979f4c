"""Workers and people write the same many rows at once: nobody waits in a circle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from apps.accounts.models import User
from apps.bmc import Reported
from apps.clusters.models import Cluster
from apps.core.testing import make_server, side_by_side
from apps.inventory.choices import Power, Transition
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.inventory.services import (
    PowerReading,
    transition_set,
)
from apps.inventory.services.reading import servers_read_now, servers_watch
from apps.jobs.worker.news import Bundle, Identity, bundle_write
from apps.jobs.worker.refusals import Refusal

ROUNDS = 25


@pytest.mark.django_db(transaction=True)
def test_nobody_who_writes_many_rows_is_ended_by_the_others(admin: User, web: Cluster) -> None:
    servers = [make_server(name=f"n{number:02}", cluster=web) for number in range(30)]
    ids = [server.pk for server in servers]
    backwards = servers[::-1]

    def news(turn: int) -> None:
        order = servers if turn % 2 else backwards
        bundle = Bundle()
        for one in order:
            bmc = one.bmc
            power = Power.ON if turn % 2 else Power.OFF
            bundle.readings[one.pk] = PowerReading(one.pk, power)
            who = Reported(firmware=f"1.{turn}")
            bundle.identities[bmc.pk] = Identity(bmc.address, bmc.port, who)
            bundle.refusals[bmc.pk] = Refusal(bmc.pk, "key", turn % 2)
        bundle_write(bundle)

    def read_now(_turn: int) -> None:
        servers_read_now(actor=admin, servers=Server.objects.filter(pk__in=ids))

    def watch(_turn: int) -> None:
        ServerStatus.objects.filter(pk=ids[0]).update(watched_until=None)
        servers_watch(ids)

    def move(turn: int) -> None:
        transition_set(ids[::-1], Transition.STARTING if turn % 2 else Transition.NONE)

    calls = [partial(turns, call) for call in (news, news, read_now, watch, move)]
    assert side_by_side(*calls) == [None] * len(calls)
    assert set(Bmc.objects.values_list("firmware", flat=True)) == {f"1.{ROUNDS - 1}"}


def turns(call: Callable[[int], None]) -> None:
    for turn in range(ROUNDS):
        call(turn)
