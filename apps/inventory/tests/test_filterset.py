"""What lists can be asked for: each filter alone, together, and with ids that mean nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict
from pytest_django import DjangoAssertNumQueries

from apps.core.testing import make_cluster, make_server, make_site
from apps.inventory.filtersets import ServerFilterSet
from apps.inventory.models import Rack, Server, Tag

pytestmark = pytest.mark.django_db
ON = {"power": "on", "last_power": "on", "fault": "", "fault_at": None}
OFF = ON | {"power": "off", "last_power": "off"}


@pytest.fixture
def fleet(web: Any) -> dict[str, Server]:
    """Servers that differ in everything that can be asked for."""
    fra, muc = make_site("fra"), make_site("muc")
    a01 = Rack.objects.create(site=fra, name="A01")
    b02 = Rack.objects.create(site=muc, name="B02")
    servers = {
        "web-1": make_server(name="web-1", cluster=web, rack=a01, rack_unit=1, status=ON),
        "web-2": make_server(
            name="web-2", cluster=web, rack=a01, rack_unit=2, status=OFF, model="Dell R660"
        ),
        "web-3": make_server(name="web-3", cluster=web, site=muc, rack=b02, serial="SN-77"),
        "db-1": make_server(
            name="db-1", status=ON, is_protected=True, protected_reason="quorum", asset_tag="AT-9"
        ),
    }
    for name, tags in {"web-1": ("prod",), "web-2": ("prod", "lab"), "db-1": ("Prod-eu",)}.items():
        servers[name].tags.set(Tag.objects.get_or_create(name=tag)[0] for tag in tags)
    return servers


def asked(person: Any, query: str) -> ServerFilterSet:
    rows = Server.objects.visible_to(person)
    return ServerFilterSet(QueryDict(query), rows, request=SimpleNamespace(user=person))


def names(person: Any, query: str) -> list[str]:
    filters = asked(person, query)
    assert filters.is_valid(), filters.errors
    found = [server.name for server in filters.qs.order_by("name")]
    assert len(found) == len(set(found))
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "db-1 web-1 web-2 web-3"),
        ("q=WEB", "web-1 web-2 web-3"),
        ("q=sn-7", "web-3"),
        ("q=at-9", "db-1"),
        ("q=dell", "web-2"),
        ("q=prod", "db-1 web-1 web-2"),
        ("q=%20web-1%20", "web-1"),
        ("power=on", "db-1 web-1"),
        ("power=on&power=off", "db-1 web-1 web-2"),
        ("tag=PROD", "web-1 web-2"),
        ("model=r66", "web-2"),
        ("fault=any", "web-3"),
        ("fault=none", "db-1 web-1 web-2"),
        ("fault=never_read", "web-3"),
        ("fault=no-such", ""),
        ("protected=true", "db-1"),
        ("protected=false", "web-1 web-2 web-3"),
        ("cluster=null", "db-1"),
        ("rack=null", "db-1"),
        ("nodes=web-[1-2]", "web-1 web-2"),
        ("nodes=web-[1-9]!web-2,db-1", "db-1 web-1 web-3"),
        ("nodes=@rack:a01", "web-1 web-2"),
        ("nodes=@rack:A01!@power:off", "web-1"),
        ("nodes=@site:muc,@cluster:web%26@power:unknown", "web-3"),
        ("nodes=@tag:prod^web-[1-3]", "web-3"),
        ("nodes=@*!@rack:A01", "db-1 web-3"),
        ("nodes=@*!@tag:lab", "db-1 web-1 web-3"),
        ("nodes=web-*,@tag:prod*", "db-1 web-1 web-2 web-3"),
        ("nodes=*-1%26w?b*", "web-1"),
        ("nodes=@rack:[1-3],A01", ""),
        ("nodes=WEB-1,", None),
        ("nodes=WEB-1", ""),
    ],
)
def test_each_filter_keeps_what_it_says(
    admin: Any, fleet: Any, query: str, expected: str | None
) -> None:
    if expected is None:
        assert not asked(admin, query).is_valid()
    else:
        assert names(admin, query) == expected.split()


def test_places_are_chosen_by_number(admin: Any, fleet: Any, web: Any) -> None:
    rack, site = fleet["web-3"].rack, fleet["web-3"].bmc.site
    assert names(admin, f"cluster={web.pk}") == ["web-1", "web-2", "web-3"]
    assert names(admin, f"cluster={web.pk}&cluster=null&power=on") == ["db-1", "web-1"]
    assert names(admin, f"site={site.pk}") == ["web-3"]
    assert names(admin, f"rack={rack.pk}&rack={fleet['web-1'].rack_id}&power=off") == ["web-2"]


@pytest.mark.parametrize("field", ["cluster", "site", "rack"])
@pytest.mark.parametrize(
    "value",
    ["999999", "0", "-1", "x", "1.5", "<b>", "%00", "9" * 400, "٣", "null%00", "1%20"],
)
def test_ids_that_mean_nothing_are_refused(admin: Any, fleet: Any, field: str, value: str) -> None:
    filters = asked(admin, f"{field}={value}")
    assert not filters.is_valid()
    assert list(filters.errors) == [field]


def test_far_too_many_ids_are_refused(admin: Any, fleet: Any) -> None:
    query = "&".join(f"rack={pk}" for pk in range(1, 1200))
    assert not asked(admin, query).is_valid()


def test_a_foreign_place_looks_like_a_missing_one(
    readonly: Any, outsider: Any, fleet: Any, web: Any
) -> None:
    hidden = make_cluster("hidden")
    foreign = asked(readonly, f"cluster={hidden.pk}").errors
    assert foreign == asked(readonly, "cluster=999999").errors
    rack = Rack.objects.create(site=make_site("muc"), name="Z99")
    assert asked(readonly, f"rack={rack.pk}").errors == asked(readonly, "rack=999999").errors
    assert names(readonly, f"cluster={web.pk}") == ["web-1", "web-2", "web-3"]


def test_groups_hold_visible_servers_only(readonly: Any, fleet: Any) -> None:
    assert names(readonly, "nodes=@power:on") == ["web-1"]
    assert names(readonly, "nodes=db-1,web-1") == ["web-1"]
    assert names(readonly, "nodes=@tag:prod*") == ["web-1", "web-2"]


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "x" * 101, "q=a%00b", "nodes=" + "x" * 1001, "nodes=%00,", "power=blue", "power=<b>",
        "nodes=@power:blue", "nodes=@hall:2", "nodes=a[1-999999999]", "tag=" + "x" * 33,
        "model=" + "x" * 65, "fault=" + "x" * 33,
    ],
)  # fmt: skip
def test_wrong_words_are_refused(admin: Any, fleet: Any, query: str) -> None:
    filters = asked(admin, query)
    assert not filters.is_valid()
    assert len(filters.errors) == 1


def test_an_error_in_a_set_names_its_place(admin: Any, fleet: Any) -> None:
    filters = asked(admin, "nodes=web-[1-2")
    [error] = filters.errors.as_data()["nodes"]
    assert (error.code, error.params) == ("nodeset", {"place": 5})


def test_what_is_understood_goes_on_beside_what_is_not(admin: Any, fleet: Any) -> None:
    filters = asked(admin, "power=blue&tag=prod&cluster=999999")
    assert set(filters.conditions()) == {"tag"}


def test_names_are_compared_as_text(admin: Any) -> None:
    make_server(name="100%")
    make_server(name="a_b")
    make_server(name="axb")
    assert names(admin, "nodes=@*%26a_b") == ["a_b"]
    assert names(admin, "nodes=1*%25") == ["100%"]
    assert names(admin, "q=a_b") == ["a_b"]


def test_all_chosen_places_are_looked_up_together(
    operator: Any, fleet: Any, web: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    server = fleet["web-1"]
    query = f"cluster={web.pk}&site={server.bmc.site_id}&rack={server.rack_id}&q=web&tag=lab"
    filters = asked(operator, query)
    with django_assert_num_queries(3):  # the grants, the places, the rows
        assert [row.name for row in filters.qs] == ["web-2"]
