"""Many people save at the same moment: one wins, the others are told, nothing is half done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.clusters import services as clusters
from apps.clusters.models import Cluster
from apps.core.stale import StaleObject
from apps.core.testing import make_cluster, make_server, make_site, side_by_side
from apps.inventory import services
from apps.inventory.models import Rack, Server, Tag
from apps.inventory.services import RackFacts, ServerChanges
from apps.inventory.services.facts import ServerFacts

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 6


def at_once(call: Callable[[int], object]) -> list[object]:
    """Let everybody call at the same moment, with 0, 1, …; return results or exceptions."""
    return side_by_side(*(partial(call, number) for number in range(PEOPLE)))


def kinds(results: list[object]) -> dict[str, int]:
    names = [type(result).__name__ for result in results]
    return {name: names.count(name) for name in names}


def test_one_of_many_saves_of_a_server_wins(admin: Any, web: Cluster) -> None:
    server = make_server(name="web-1", cluster=web)
    facts = ServerFacts.of(server)

    def save(number: int) -> object:
        mine = replace(facts, model=f"m{number}", tags=(f"t{number}",))
        return services.server_update(actor=admin, server=server, facts=mine, expected_version=1)

    results = at_once(save)
    assert kinds(results) == {"Server": 1, "StaleObject": PEOPLE - 1}
    winner = next(number for number, one in enumerate(results) if isinstance(one, Server))
    stored = Server.objects.get()
    assert (stored.model, stored.version) == (f"m{winner}", 2)
    assert [tag.name for tag in Tag.objects.all()] == [f"t{winner}"]


def test_one_of_many_saves_of_a_rack_and_a_cluster_wins(admin: Any) -> None:
    rack, cluster = Rack.objects.create(site=make_site(), name="B07"), make_cluster("web")

    def save(number: int) -> object:
        facts = replace(RackFacts.of(rack), notes=f"n{number}")
        return services.rack_update(actor=admin, rack=rack, facts=facts, expected_version=1)

    assert kinds(at_once(save)) == {"Rack": 1, "StaleObject": PEOPLE - 1}

    def rename(number: int) -> object:
        return clusters.cluster_update(
            actor=admin, cluster=cluster, name=f"c{number}", expected_version=1
        )

    assert kinds(at_once(rename)) == {"Cluster": 1, "StaleObject": PEOPLE - 1}


def test_two_servers_are_not_put_into_the_same_units(admin: Any, web: Cluster) -> None:
    rack = Rack.objects.create(site=make_site(), name="B07")
    servers = [make_server(name=f"web-{n}", cluster=web) for n in range(PEOPLE)]

    def put(number: int) -> object:
        server = servers[number]
        # Heights differ, so that these are no slots of one chassis.
        facts = replace(ServerFacts.of(server), rack=rack, rack_unit=5, unit_count=number + 1)
        return services.server_update(actor=admin, server=server, facts=facts)

    results = at_once(put)
    assert kinds(results) == {"Server": 1, "ValidationError": PEOPLE - 1}
    assert all("rack_unit" in one.message_dict for one in results
               if isinstance(one, ValidationError))  # fmt: skip
    assert Server.objects.filter(rack=rack).count() == 1


def test_the_same_change_of_many_is_written_once(admin: Any, web: Cluster) -> None:
    servers = [make_server(name=f"web-{n}", cluster=web) for n in range(4)]
    changes = ServerChanges({"model": "R760"}, ("prod",))
    expected = {server.pk: 1 for server in servers}
    results = at_once(
        lambda _: services.servers_edit(
            actor=admin, servers=servers, changes=changes, expected=expected
        )
    )
    written = [one for one in results if isinstance(one, services.EditOutcome) and one.is_written]
    assert len(written) == 1, results
    assert set(Server.objects.values_list("version", flat=True)) == {2}
    assert Tag.objects.count() == 1


def test_a_stale_save_raises_what_is_stored_now(admin: Any) -> None:
    cluster = make_cluster("web")
    clusters.cluster_update(actor=admin, cluster=cluster, name="new")
    with pytest.raises(StaleObject) as caught:
        clusters.cluster_update(actor=admin, cluster=cluster, name="x", expected_version=1)
    assert str(caught.value.current) == "new"
