"""Workers and people write the same many rows at once: nobody waits in a circle."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connections

from apps.accounts.models import User
from apps.bmc import Reported
from apps.clusters.models import Cluster
from apps.core.testing import make_server
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

    failed = at_once(news, news, read_now, watch, move)
    assert failed == []
    assert set(Bmc.objects.values_list("firmware", flat=True)) == {f"1.{ROUNDS - 1}"}


def at_once(*calls: Callable[[int], None]) -> list[Exception]:
    """Let each of them run its rounds in a thread; return what went wrong."""
    start, failed = threading.Barrier(len(calls)), list[Exception]()

    def run(call: Callable[[int], None]) -> None:
        start.wait(10)
        try:
            for turn in range(ROUNDS):
                call(turn)
        except Exception as error:  # noqa: BLE001  the test looks at it
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return failed
