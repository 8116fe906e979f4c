from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.core.testing import make_cluster, make_server, make_site, make_user
from apps.inventory.models import CustomField, Rack, SavedView, ServerSelection, Tag

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
    make_server(name="alpha", status=ON)
    make_server(name="beta", status=ON)
    make_server(name="gamma")
    client.force_login(admin)
    text = body(client)
    assert "3 servers" in text
    assert '<a href="?power=on">2 on</a>, <a href="?power=off">0 off</a>' in text
    text = body(client, URL + "?power=unknown")
    assert "1 of 3 match" in text
    assert ">gamma<" in text
    assert ">alpha<" not in text


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


def links(text: str, word: str) -> list[str]:
    """Return the addresses of the links whose text begins with that word."""
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>([^<]*)', text)
    return [unescape(href) for href, words in found if words.strip().startswith(word)]


def test_every_filter_in_force_is_a_chip_that_can_be_removed(
    client: Client, admin: Any, web: Any
) -> None:
    make_server(name="web-1", cluster=web, status=ON)
    client.force_login(admin)
    query = f"q=web&power=on&power=off&cluster={web.pk}&cluster=null&fault=none&protected=false"
    text = body(client, f"{URL}?{query}")
    chips = re.findall(r'<span class="bp-chip">([^<]*)<a href="([^"]*)"', text)
    words = [unescape(label) for label, _href in chips]
    assert words == [
        "Power: Off", "Power: On", f"Cluster: {web.name}", "Cluster: No cluster", "Fault: none",
        "Protected: no",
    ]  # fmt: skip
    without_off = QueryDict(unescape(chips[0][1]).partition("?")[2])
    assert without_off.getlist("power") == ["on"]
    assert without_off["q"] == "web"
    for label, href in chips:
        is_kept = label not in ("Power: On", "Cluster: web")
        assert (">web-1<" in body(client, unescape(href))) is is_kept, label


def test_quick_links_tell_what_they_lead_to(client: Client, admin: Any) -> None:
    make_server(name="a", status=ON, is_protected=True, protected_reason="x")
    make_server(name="b", status={"fault": "unreachable"})
    make_server(name="c", status={"fault": "unreachable"})
    make_server(name="d", status={"fault": "auth_failed"})
    client.force_login(admin)
    text = body(client)
    for word, count in (("Unknown 3", 3), ("BMC does not answer 2", 2), ("Protected 1", 1)):
        [href] = links(text, word)
        assert f"{count} of 4 match" in body(client, URL + href)
    # The counts of one filter stay while it is in force: they are what the others match.
    assert "Unknown 3" in body(client, URL + "?power=on")
    assert "2 on" not in text
    assert "1 on" in body(client, URL + "?power=unknown")


def test_words_that_mean_nothing_are_told_and_the_rest_goes_on(client: Client, admin: Any) -> None:
    make_server(name="web-1", status=ON)
    make_server(name="db-1", status=ON)
    client.force_login(admin)
    query = "q=web&power=blue&cluster=999999&protected=perhaps&sort=foo&columns=rack,bar&site=x"
    text = body(client, f"{URL}?{query}")
    assert ">web-1<" in text
    assert ">db-1<" not in text
    told = unescape(text[text.index('id="left-out"') :].split("</p>")[0])
    for word in ("Power “blue”", "Cluster “999999”", "Protected “perhaps”", "“foo”", "“bar”"):
        assert word in told
    # Links of the page carry what was understood only.
    assert "blue" not in "".join(links(text, "1 on"))


def test_a_foreign_cluster_is_told_like_a_missing_one(
    client: Client, readonly: Any, web: Any
) -> None:
    foreign = make_cluster("concealed")
    make_server(name="there", cluster=foreign)
    make_server(name="here", cluster=web)
    client.force_login(readonly)
    told = []
    for pk in (foreign.pk, 999999):
        text = body(client, f"{URL}?cluster={pk}")
        assert "concealed" not in text
        assert text.count("data-live-server") == 1
        told.append(text[text.index('id="left-out"') :].split("</p>")[0].replace(str(pk), "N"))
    assert told[0] == told[1]


def test_signs_make_the_query_a_node_set_and_words_a_search(client: Client, admin: Any) -> None:
    for name in ("web-1", "web-2", "web-3", "db-1"):
        make_server(name=name)
    client.force_login(admin)
    text = body(client, URL + "?q=" + quote("web-[1-4]!web-2"))
    assert [name for name in ("web-1", "web-2", "web-3", "db-1") if f">{name}<" in text] == [
        "web-1", "web-3",
    ]  # fmt: skip
    assert "<b>Node set</b> 4 names." in text
    assert 'matches no server: <span class="mono">web-4</span>' in text
    assert "<b>Search</b>" in body(client, URL + "?q=web")
    [as_text] = links(text, "Search for this text")
    as_text_page = body(client, URL + as_text)
    assert "<b>Search</b>" in as_text_page
    assert "0 of 4 match" in as_text_page
    [as_nodes] = links(as_text_page, "Read it as a node set")
    assert "<b>Node set</b>" in body(client, URL + as_nodes)


def test_a_node_set_of_plain_names_may_be_asked_for_by_its_own_word(
    client: Client, admin: Any
) -> None:
    make_server(name="web-1")
    make_server(name="web-10")
    client.force_login(admin)
    text = body(client, URL + "?nodes=web-1")
    assert "1 of 2 match" in text
    assert 'value="web-1"' in text
    assert all("nodes=web-1" in href for href in links(text, "0 on"))


@pytest.mark.parametrize("query", ["web-[01", "a,,b", "@hall:2", "a[1-999999999]", "@power:blue"])
def test_a_set_that_cannot_be_read_names_the_place_and_shows_no_rows(
    client: Client, admin: Any, query: str
) -> None:
    make_server(name="web-1")
    client.force_login(admin)
    for headers in ({}, {"HX-Request": "true"}):
        text = body(client, f"{URL}?q={quote(query)}", **headers)
        assert "This node set cannot be read" in text
        assert "(Character " in text
        assert "data-live-server" not in text
        assert "Select all" not in text
        assert "0 of 1 match" in text
    assert 'aria-invalid="true"' in body(client, f"{URL}?q={quote(query)}")


def test_nothing_matches_names_the_part_that_empties_it(client: Client, admin: Any) -> None:
    make_server(name="web-1", status=ON, model="Dell")
    make_server(name="web-2", model="Dell")
    make_server(name="db-1", status=ON, model="HPE")
    client.force_login(admin)
    text = body(client, URL + "?q=web&model=HPE")
    assert "Without “Model: HPE” there are some." in unescape(text)
    [href] = links(text, "Without “Model: HPE”: 2 servers")
    assert "2 of 3 match" in body(client, href)
    text = body(client, URL + "?q=" + quote("web-[1-2] & db-[1-9]"))
    assert "Up to “web-[1-2]” there are 2; “& db-[1-9]” leaves none of them." in unescape(text)
    text = body(client, URL + "?q=" + quote("@rack:B04"))
    assert "No server that you see is in “@rack:B04”." in unescape(text)
    text = body(client, URL + "?q=zzz&model=yyy")
    assert "Each part of it matches nothing" in text


def test_a_page_beyond_the_end_is_the_last_one(client: Client, admin: Any) -> None:
    for _ in range(101):
        make_server()
    client.force_login(admin)
    for page in ("2", "3", "999999999999999999999"):
        text = body(client, f"{URL}?page={page}")
        assert text.count('data-live-server="') == 1
        assert "101 to 101 of 101" in text
    for page in ("0", "-1", "x", "1e9"):
        assert body(client, f"{URL}?page={page}").count('data-live-server="') in (1, 100)


def test_columns_are_chosen_in_the_address(client: Client, admin: Any) -> None:
    CustomField.objects.create(key="owner", label="Owner <b>")
    make_server(name="a", serial="SN-1", custom_fields={"owner": "Web"})
    client.force_login(admin)
    text = body(client, URL + "?columns=name&columns=serial&columns=custom.owner")
    assert 'data-columns="name,power,serial,custom.owner"' in text
    assert "SN-1" in text
    assert ">Web<" in text
    assert "Owner &lt;b&gt;" in text
    assert "columns=name%2Cpower%2Cserial%2Ccustom.owner" in text
    assert "SN-1" not in body(client)


def test_the_filter_form_shows_what_is_chosen_as_dialog_and_as_page(
    client: Client, readonly: Any, web: Any
) -> None:
    server = make_server(name="web-1", cluster=web, status={"fault": "unreachable"})
    server.tags.add(Tag.objects.create(name="prod"))
    other = make_server(name="x", cluster=make_cluster("concealed"), status={"fault": "busy"})
    other.tags.add(Tag.objects.create(name="secret"))
    client.force_login(readonly)
    query = f"?q=web&cluster={web.pk}&power=on&sort=-name&columns=rack&model=Dell&junk=1&tag=zz"
    part = body(client, f"/servers/filter{query}", **{"HX-Request": "true"})
    assert part.lstrip().startswith("<dialog")
    page = body(client, f"/servers/filter{query}")
    assert "<html" in page
    for text in (part, page):
        assert f'<option value="{web.pk}" selected>' in text
        assert 'value="on" checked' in text
        assert 'name="sort" value="-name"' in text
        assert 'name="columns" value="rack"' in text
        assert 'value="Dell"' in text
        assert '<option value="unreachable">' in text
        assert '<option value="prod">' in text
        assert "hidden" not in text.replace('type="hidden"', "").replace(
            "visually-hidden", ""
        ).replace('aria-hidden="true"', "").replace(" hidden", "")
        assert "secret" not in text
        assert "busy" not in text


def test_the_filter_form_is_for_people_who_are_signed_in(client: Client, outsider: Any) -> None:
    assert client.get("/servers/filter").status_code == 302
    client.force_login(outsider)
    assert client.get("/servers/filter").status_code == 200
    assert client.post("/servers/filter").status_code == 405
    assert client.post(URL).status_code == 405


def test_the_counts_alone_are_sent_when_they_are_asked_for(client: Client, admin: Any) -> None:
    make_server(status=ON)
    client.force_login(admin)
    headers = {"HX-Request": "true", "HX-Target": "server-counts"}
    text = body(client, URL + "?power=on", **headers)
    assert text.count("<p") == 1
    assert "1 of 1 match" in text
    assert "<table" not in text


@pytest.fixture
def crowd(web: Any) -> Any:
    """A reader, and many servers with everything that a row can show."""
    reader = make_user("reader", Role.OPERATOR, web)
    racks = [Rack.objects.create(site=make_site(), name=f"A{i}") for i in range(5)]
    tags = [Tag.objects.create(name=f"t{i}") for i in range(5)]
    CustomField.objects.create(key="owner", label="Owner")
    for i in range(60):
        server = make_server(
            name=f"web-{i}", cluster=web, rack=racks[i % 5], rack_unit=i + 1, model="Dell",
            status=ON if i % 3 else {"fault": "unreachable"}, custom_fields={"owner": "x"},
        )  # fmt: skip
        server.tags.set(tags[: i % 5])
    SavedView.objects.create(user=reader, name="mine", query="power=on")
    return reader


EVERYTHING = "columns=name,read,cluster,rack,model,bmc,tags,serial,asset_tag,site,custom.owner"


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("", 7), ("page=2", 7), (EVERYTHING, 7), ("sort=-power&" + EVERYTHING, 7), ("sort=rack", 7),
        ("q=web", 8), ("q=no-such", 7), ("q=web-[1-70]", 9), ("q=@rack:A1!@tag:t2", 8),
        ("cluster=CLUSTER&site=SITE&rack=RACK&power=on&fault=none&tag=t1&model=Dell&protected=false"
         "&q=web-[0-99]", 10), ("cluster=CLUSTER&site=SITE&rack=RACK&power=on&q=web", 9),
        ("power=blue&cluster=999&rack=x&sort=foo", 8),
    ],
)  # fmt: skip
def test_the_number_of_queries_does_not_grow(
    client: Client, crowd: Any, django_assert_max_num_queries: Any, query: str, most: int
) -> None:
    """Session, person, the rate of searches, grants; chosen places; views and fields; counts; rows,
    tags; names that are missing in a node set."""
    places: dict[str, Any] = {"CLUSTER": Cluster, "SITE": Site, "RACK": Rack}
    for word, model in places.items():
        query = query.replace(word, str(model.objects.first().pk))
    client.force_login(crowd)
    body(client, f"{URL}?{query}")
    with django_assert_max_num_queries(most):
        text = body(client, f"{URL}?{query}")
    assert "data-live-server" in text or "No server matches" in text


def test_a_selection_costs_three_queries_more(
    client: Client, crowd: Any, django_assert_max_num_queries: Any
) -> None:
    client.force_login(crowd)
    for fields in ({"is_all": True, "query": "power=on"}, {"ids": [1, 2, 3]}):
        selection = ServerSelection.objects.create(user=crowd, **fields)
        with django_assert_max_num_queries(10):
            body(client, f"{URL}?selection={selection.pk}")
