from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.core.testing import make_cluster, make_server, make_user

pytestmark = pytest.mark.django_db
URL = "/servers/"
ON = {"power": "on", "last_power": "on", "fault": "", "fault_at": None}


def body(client: Client, url: str = URL, **headers: Any) -> str:
    response = client.get(url, headers=headers or None)
    assert response.status_code == 200
    return response.content.decode()


def test_the_root_leads_to_the_list(client: Client, admin: Any) -> None:
    client.force_login(admin)
    response = client.get("/")
    assert (response.status_code, response["Location"]) == (302, URL)


def test_anonymous_is_sent_to_sign_in(client: Client) -> None:
    response = client.get(URL)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:sign_in"))


def test_two_people_see_their_own_clusters_in_list_counts_and_search(
    client: Client, web: Any, readonly: Any, outsider: Any
) -> None:
    there = make_cluster("elsewhere")
    make_server(name="shared-word-web", cluster=web, status=ON)
    make_server(name="shared-word-away", cluster=there)
    make_server(name="shared-word-nowhere", cluster=None)
    for person, own, foreign in ((readonly, "web", "away"), (outsider, "away", "web")):
        client.force_login(person)
        for url in (URL, URL + "?q=shared", URL + "?sort=-power"):
            text = body(client, url)
            assert f"shared-word-{own}" in text
            assert f"shared-word-{foreign}" not in text
            assert "shared-word-nowhere" not in text
        assert "1 of 1 match" in body(client, URL + "?q=shared")
        assert "0 of 1 match" in body(client, URL + f"?q=word-{foreign}")


def test_counts_by_power_are_links(client: Client, admin: Any) -> None:
    make_server(name="a", status=ON)
    make_server(name="b", status=ON)
    make_server(name="c")
    client.force_login(admin)
    text = body(client)
    assert "3 servers" in text
    assert '<a href="?power=on">2 on</a>, <a href="?power=off">0 off</a>' in text
    text = body(client, URL + "?power=unknown")
    assert "1 of 3 match" in text
    assert ">c</a>" in text
    assert ">a</a>" not in text


def test_search_finds_names_and_addresses(client: Client, admin: Any) -> None:
    make_server(name="alpha", address="127.9.8.7")
    make_server(name="beta", address="127.1.1.1")
    client.force_login(admin)
    assert ">alpha<" in body(client, URL + "?q=9.8.7")
    assert ">beta<" not in body(client, URL + "?q=9.8.7")
    assert ">beta<" in body(client, URL + "?q=BET")


def test_sort_turns_round(client: Client, admin: Any) -> None:
    make_server(name="alpha")
    make_server(name="beta")
    client.force_login(admin)
    text = body(client, URL + "?sort=-name")
    assert text.index(">beta<") < text.index(">alpha<")
    assert 'aria-sort="descending"' in text


@pytest.mark.parametrize(
    "query", ["power=<b>", "sort=status__power;--", "page=x", "page=-9", "q=%00", "q=" + "x" * 5000]
)
def test_words_that_mean_nothing_are_no_error(client: Client, admin: Any, query: str) -> None:
    make_server(name="alpha")
    client.force_login(admin)
    assert "<b>" not in body(client, f"{URL}?{query}").replace("<b></b>", "")


def test_a_name_of_html_is_text(client: Client, admin: Any) -> None:
    make_server(name="<img src=x onerror=alert(1)>")
    client.force_login(admin)
    text = body(client)
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


def test_htmx_gets_the_part_and_others_the_page(client: Client, admin: Any) -> None:
    make_server(name="alpha")
    client.force_login(admin)
    part = body(client, URL, **{"HX-Request": "true"})
    assert part.lstrip().startswith('<div id="server-list">')
    assert "<html" in body(client)
    assert "<html" in body(client, URL, **{"HX-Request": "true", "HX-Boosted": "true"})


def test_unknown_has_its_reason_in_a_second_row(client: Client, admin: Any) -> None:
    now = timezone.now()
    server = make_server(
        name="alpha",
        status={"fault": "unreachable", "fault_at": now, "last_power": "on", "power_read_at": now},
    )
    client.force_login(admin)
    text = body(client)
    row = text[text.index(f'id="server-{server.pk}"') :].split("</tbody>")[0]
    assert "Unknown" in row
    assert "bp-whyrow" in row
    assert "BMC does not answer." in row
    assert "It was on." in row


def test_first_day_is_not_nothing_matches(client: Client, admin: Any, readonly: Any) -> None:
    client.force_login(admin)
    assert "No servers yet" in body(client)
    assert "Add server" in body(client)
    client.force_login(readonly)
    text = body(client)
    assert "None is shared with you" in text
    assert "Add server" not in text
    make_server(name="alpha")
    client.force_login(admin)
    assert "No server matches" in body(client, URL + "?q=zzz")


def test_pages_have_a_hundred_rows(client: Client, admin: Any) -> None:
    for _ in range(101):
        make_server()
    client.force_login(admin)
    assert body(client).count('data-live-server="') == 100
    assert body(client, URL + "?page=2").count('data-live-server="') == 1


def test_the_number_of_queries_does_not_grow(
    client: Client, web: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(make_user("reader", "readonly", web))  # type: ignore[arg-type]  # the value
    make_server(cluster=web)
    body(client)
    with django_assert_num_queries(QUERIES):
        body(client)
    for _ in range(30):
        make_server(cluster=web)
    with django_assert_num_queries(QUERIES):
        body(client)


QUERIES = 7
"""Session, person, scope twice, counts, number of rows, rows, and what the person may add."""
