from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.template import Context, Template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override
from pytest_django import DjangoAssertNumQueries

from apps.core.testing import make_cluster, make_server, make_site
from apps.inventory.models import Rack, Server, Tag
from apps.inventory.selectors import rows_fetch
from apps.inventory.tables import COLUMNS, DEFAULT_KEYS, columns_named, table_of

ON = {"power": "on", "last_power": "on", "fault": "", "fault_at": None}


def sorted_names(sort: str) -> list[str]:
    rows = Server.objects.order_by(*table_of(sort, [], {}).ordering())
    return list(rows.values_list("name", flat=True))


def shown(server: Server, *keys: str) -> str:
    columns = [column for column in columns_named(keys) if column.key in keys]
    template = Template("{% cells columns server %}")
    return str(template.render(Context({"columns": columns, "server": server})))


@pytest.mark.django_db
def test_names_sort_naturally_both_ways() -> None:
    for name in ("web-10", "web-2", "db-1"):
        make_server(name=name)
    assert sorted_names("") == sorted_names("name") == ["db-1", "web-2", "web-10"]
    assert sorted_names("-name") == ["web-10", "web-2", "db-1"]


@pytest.mark.django_db
def test_every_sort_is_stable_by_name_and_puts_empty_last() -> None:
    now = timezone.now()
    rack = Rack.objects.create(site=make_site(), name="A01")
    make_server(name="c", address="127.0.0.10", status=ON | {"power_read_at": now})
    make_server(name="b", address="127.0.0.9", model="Dell", cluster=make_cluster("x"), status=ON)
    make_server(
        name="a", address="127.0.1.1", model="Dell", serial="1", rack=rack, rack_unit=9,
        status=ON | {"power_read_at": now - dt.timedelta(hours=1)},
    )  # fmt: skip
    make_server(name="d", rack=rack, rack_unit=2, asset_tag="T", address="127.9.0.1")
    assert sorted_names("power") == ["a", "b", "c", "d"]
    assert sorted_names("-power") == ["d", "a", "b", "c"]
    assert sorted_names("model") == sorted_names("-model") == ["a", "b", "c", "d"]
    assert sorted_names("cluster") == ["b", "a", "c", "d"]
    assert sorted_names("rack") == ["d", "a", "b", "c"]
    assert sorted_names("-rack") == ["a", "d", "b", "c"]
    assert sorted_names("bmc") == ["b", "c", "a", "d"]
    assert sorted_names("serial")[0] == "a"
    assert sorted_names("-asset_tag")[0] == "d"
    # What was never read is the oldest of all.
    assert sorted_names("read") == ["b", "d", "a", "c"]
    assert sorted_names("-read") == ["c", "a", "b", "d"]


@pytest.mark.django_db
def test_every_column_that_can_is_sorted_by_in_both_directions() -> None:
    make_server()
    for column in COLUMNS:
        if column.order is not None:
            assert sorted_names(column.key) == sorted_names(f"-{column.key}")
    assert [column.key for column in COLUMNS if column.order is None] == ["tags"]


@pytest.mark.django_db
def test_cells_print_what_came_with_the_row_and_ask_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    server = make_server(
        name="<b>", model="<i>M", serial="S<", asset_tag="A&", custom_fields={"owner": "<u>"},
        is_protected=True, protected_reason='"why"', cluster=make_cluster("<c>"), status=ON,
        rack=Rack.objects.create(site=make_site("<s>"), name="<r>"), rack_unit=4, unit_count=2,
    )  # fmt: skip
    server.tags.set([Tag.objects.create(name="<t>"), Tag.objects.create(name="a")])
    with django_assert_num_queries(2):
        [row] = rows_fetch(Server.objects.all())
    with django_assert_num_queries(0):
        html = shown(row, *(column.key for column in COLUMNS), "custom.owner")
    for tag in ("<b>", "<i>", "<u>", "<c>", "<s>", "<r>", "<t>", "S<", "A& "):
        assert tag not in html
    assert "&lt;r&gt; · U4-5" in html
    assert "Protected: &quot;why&quot;" in html
    assert html.index(">&lt;t&gt;<") < html.index(">a<")
    assert html.count("<td") == len(COLUMNS) + 1


@pytest.mark.django_db
@pytest.mark.parametrize("lang", ["en", "zh-hans"])
@pytest.mark.parametrize("power", ["on", "off", "unknown"])
@pytest.mark.parametrize("transition", ["", "shutting_down"])
def test_a_state_is_printed_as_everywhere(power: str, transition: str, lang: str) -> None:
    now = timezone.now()
    server = make_server(
        status={
            "power": power, "power_read_at": now - dt.timedelta(hours=9), "last_power": "on",
            "fault": "unreachable" if power == "unknown" else "", "fault_at": now,
            "transition": transition, "transition_at": now,
        }
    )  # fmt: skip
    with override(lang):
        template = render_to_string("shared/_power.html", {"status": server.status})
        assert shown(server, "power") == f'<td class="k-power">{template.strip()}</td>'


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "words"),
    [("text", ">text<"), (True, "yes"), (False, "no"), (3.5, "3.5"), (0, "0"), (None, "<td class")],
)
def test_custom_fields_are_printed_by_what_they_are(value: Any, words: str) -> None:
    server = make_server(custom_fields={"x": value})
    assert words in shown(server, "custom.x")


@pytest.mark.django_db
def test_a_missing_place_is_empty_and_a_missing_cluster_is_said() -> None:
    server = make_server()
    assert shown(server, "rack") == '<td class="k-more"></td>'
    assert "No cluster" in shown(server, "cluster")
    assert "never" in shown(server, "read")


def test_columns_are_chosen_in_one_order_and_the_first_two_stay() -> None:
    table = table_of("", ["tags,site", "cluster"], {"owner": "Owner"})
    assert table.keys == ("name", "power", "cluster", "tags", "site")
    assert table.params == {"columns": "name,power,cluster,tags,site"}
    assert not table.left_out
    assert table_of("", ["custom.owner"], {"owner": "Owner"}).keys[-1] == "custom.owner"
    assert table_of("", [], {}).keys == DEFAULT_KEYS
    assert table_of("", list(DEFAULT_KEYS), {}).params == {}


@pytest.mark.parametrize(
    ("sort", "columns", "left_out"),
    [
        ("status__power;--", "", ["status__power;--"]), ("tags", "", ["tags"]),
        ("--name", "", ["--name"]), ("", "custom.gone,<b>", ["custom.gone", "<b>"]),
        ("-custom.x", "", ["-custom.x"]),
    ],
)  # fmt: skip
def test_columns_and_sorts_that_do_not_exist_are_left_out(
    sort: str, columns: str, left_out: list[str]
) -> None:
    table = table_of(sort, [columns], {})
    assert table.left_out == left_out
    assert table.sort == "name"


def test_a_click_turns_the_order_round_and_the_worst_comes_first() -> None:
    def links(sort: str) -> dict[str, tuple[str, str]]:
        table = table_of(sort, [], {})
        return {str(h.label): (h.sort, h.direction) for _c, hs in table.headings() for h in hs}

    assert links("")["Server"] == ("-name", "ascending")
    assert links("-name")["Server"] == ("", "descending")
    assert links("")["Power"] == ("-power", "")
    assert links("-power")["Power"] == ("power", "descending")
    assert links("")["Age"] == ("read", "")
    assert links("read")["Age"] == ("-read", "ascending")
    assert "Tags" not in links("")


def test_rows_without_a_head_know_custom_columns_by_their_form() -> None:
    keys = [
        column.key for column in columns_named(["custom.a", "custom.<b>", "rack", "x", "power"])
    ]
    assert keys == ["name", "power", "rack", "custom.a"]
