"""What is picked in the list: across pages, by filter, true at the time of use."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core import actions
from apps.core.actions import Action
from apps.core.testing import make_cluster, make_server
from apps.inventory.models import Server, ServerSelection
from apps.inventory.selectors import SERVER_PAGE, selection_of, selection_servers, selection_summary
from apps.inventory.services import selections
from apps.inventory.services.selections import selection_all, selection_change, selection_clear

pytestmark = pytest.mark.django_db
URL = "/servers/selection"
ON = {"power": "on", "last_power": "on", "fault": "", "fault_at": None}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def fleet(web: Any) -> list[Server]:
    return [make_server(name=f"web-{i}", cluster=web, status=ON) for i in range(1, 7)]


def names(person: Any, selection: ServerSelection) -> list[str]:
    return sorted(selection_servers(person, selection).values_list("name", flat=True))


def picked(person: Any, servers: list[Server]) -> ServerSelection:
    return selection_change(actor=person, selection=None, tick=[server.pk for server in servers])


# ------------------------------------------------------------------------------ the service


def test_one_by_one_over_several_pages(readonly: Any, fleet: list[Server]) -> None:
    selection = picked(readonly, fleet[:2])
    selection = selection_change(
        actor=readonly, selection=selection, tick=[fleet[4].pk], untick=[fleet[0].pk]
    )
    assert names(readonly, selection) == ["web-2", "web-5"]
    assert ServerSelection.objects.count() == 1


def test_what_is_not_seen_cannot_be_picked(readonly: Any, fleet: list[Server]) -> None:
    hidden = make_server(name="hidden", cluster=make_cluster("away"))
    selection = selection_change(
        actor=readonly, selection=None, tick=[hidden.pk, 999999, fleet[0].pk]
    )
    assert selection.ids == [fleet[0].pk]


def test_rights_are_asked_when_it_is_used(readonly: Any, fleet: list[Server]) -> None:
    selection = picked(readonly, fleet)
    fleet[0].delete()
    Server.objects.filter(pk=fleet[1].pk).update(cluster=make_cluster("away"))
    summary = selection_summary(readonly, selection)
    assert (summary.count, summary.lost, summary.total) == (4, 2, 6)
    RoleGrant.objects.all().delete()
    assert names(readonly, selection) == []


def test_all_that_match_is_asked_anew(readonly: Any, fleet: list[Server], web: Any) -> None:
    selection = selection_all(actor=readonly, selection=None, query="q=web&power=on&junk=1")
    assert selection.query == "q=web&power=on"
    assert len(names(readonly, selection)) == 6
    make_server(name="web-7", cluster=web, status=ON)
    make_server(name="web-8", cluster=web)
    make_server(name="web-9", cluster=make_cluster("away"), status=ON)
    assert names(readonly, selection)[-1] == "web-7"
    assert selection_summary(readonly, selection).lost == 0


def test_all_but_some(readonly: Any, fleet: list[Server], web: Any) -> None:
    selection = selection_all(actor=readonly, selection=None, query="power=on")
    selection = selection_change(actor=readonly, selection=selection, untick=[fleet[0].pk])
    assert (selection.is_all, len(names(readonly, selection))) == (True, 5)
    selection = selection_change(actor=readonly, selection=selection, tick=[fleet[0].pk])
    assert (selection.is_all, len(names(readonly, selection))) == (True, 6)


def test_what_comes_from_another_list_makes_it_a_list_of_its_own(
    readonly: Any, fleet: list[Server], web: Any
) -> None:
    other = make_server(name="off", cluster=web)
    selection = selection_all(actor=readonly, selection=None, query="power=on")
    selection = selection_change(actor=readonly, selection=selection, untick=[fleet[0].pk])
    selection = selection_change(actor=readonly, selection=selection, tick=[other.pk])
    assert not selection.is_all
    assert names(readonly, selection) == ["off", *(f"web-{i}" for i in range(2, 7))]
    make_server(name="web-7", cluster=web, status=ON)
    assert "web-7" not in names(readonly, selection)


@pytest.mark.parametrize(
    "query", ["power=blue", "q=web-[1", "cluster=999999", "q=" + "x" * 101, "rack=x"]
)
def test_a_filter_that_is_not_understood_selects_nothing(
    readonly: Any, fleet: list[Server], query: str
) -> None:
    with pytest.raises(ValidationError):
        selection_all(actor=readonly, selection=None, query=query)
    assert not ServerSelection.objects.exists()


def test_a_filter_that_means_less_than_it_did_never_grows(admin: Any, web: Any) -> None:
    doomed = make_cluster("doomed")
    make_server(name="kept", cluster=web)
    make_server(name="picked", cluster=doomed)
    selection = selection_all(actor=admin, selection=None, query=f"cluster={doomed.pk}")
    assert names(admin, selection) == ["picked"]
    Server.objects.filter(cluster=doomed).update(cluster=None)
    doomed.delete()
    assert names(admin, selection) == []


def test_a_filter_too_long_to_keep_is_kept_as_its_servers(
    readonly: Any, fleet: list[Server], web: Any
) -> None:
    query = "q=" + "%5B".join(["web-", "1-2]" + ",%E6%9C%8D" * 180])
    selection = selection_all(actor=readonly, selection=None, query=query)
    assert not selection.is_all
    assert names(readonly, selection) == ["web-1", "web-2"]


def test_there_is_a_most(
    readonly: Any, fleet: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selections, "MOST_SELECTED", 5)
    with pytest.raises(ValidationError):
        picked(readonly, fleet)
    assert not ServerSelection.objects.exists()


def test_a_selection_is_its_persons_alone(readonly: Any, user: Any, fleet: list[Server]) -> None:
    selection = picked(readonly, fleet)
    assert selection_of(readonly, str(selection.pk)) == selection
    assert selection_of(user, str(selection.pk)) is None
    assert names(user, selection) == []
    mine = selection_change(actor=user, selection=selection, tick=[fleet[0].pk])
    assert (mine.pk != selection.pk, mine.user) == (True, user)
    selection_clear(actor=user, selection=selection)
    assert ServerSelection.objects.filter(pk=selection.pk).exists()


UNKNOWN = "172373d5-19d4-452d-92e6-ef06031f62b4"


@pytest.mark.parametrize("text", ["", "x", "0", UNKNOWN, "'; --", "\0", "9" * 5000])
def test_what_is_no_selection_is_none(readonly: Any, text: str) -> None:
    assert selection_of(readonly, text) is None


def test_after_a_day_it_is_gone_and_swept(readonly: Any, fleet: list[Server]) -> None:
    old, young = picked(readonly, fleet), picked(readonly, fleet)
    ServerSelection.objects.filter(pk=old.pk).update(
        updated_at=timezone.now() - dt.timedelta(hours=25)
    )
    assert selection_of(readonly, str(old.pk)) is None
    assert selection_of(readonly, str(young.pk)) == young
    picked(readonly, fleet)
    assert not ServerSelection.objects.filter(pk=old.pk).exists()
    assert ServerSelection.objects.count() == 2


# ------------------------------------------------------------------------------ the page


def bar(response: HttpResponse) -> str:
    assert response.status_code == 200
    text = response.content.decode()
    assert text.count('id="selection-bar"') == 1
    return text


def id_in(text: str) -> str:
    found = re.search(r'data-selection="([^"]*)"', text)
    assert found
    return found[1]


def post(client: Client, act: str, *ids: int, selection: str = "", **more: Any) -> HttpResponse:
    data = {"act": act, "ids": ids, "selection": selection, "query": ""} | more
    response: HttpResponse = client.post(URL, data, headers=HTMX)  # type: ignore[assignment]  # test client
    return response


def test_anonymous_is_sent_to_sign_in(client: Client) -> None:
    response = client.post(URL, {"act": "all"})
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:sign_in"))
    assert not ServerSelection.objects.exists()


def test_picking_needs_a_post(client: Client, readonly: Any) -> None:
    client.force_login(readonly)
    assert client.get(URL).status_code == 405


def test_the_bar_tells_the_true_count(client: Client, readonly: Any, fleet: list[Server]) -> None:
    client.force_login(readonly)
    text = bar(post(client, "tick", fleet[0].pk, fleet[1].pk))
    assert "2 selected" in text
    assert "Select all 6 matching" in text
    key = id_in(text)
    text = bar(post(client, "tick", fleet[2].pk, selection=key))
    assert "3 selected" in text
    assert id_in(text) == key
    fleet[0].delete()
    text = bar(post(client, "untick", fleet[2].pk, selection=key))
    assert "2 selected</b>, 1 of them no longer visible" in text
    text = bar(post(client, "all", selection=key, query="q=web-[1-3]"))
    assert "2 selected</b>: all that match, also later" in text
    assert "matching</button>" not in text
    text = bar(post(client, "clear", selection=key))
    assert id_in(text) == ""
    assert "bp-selbar" not in text
    assert not ServerSelection.objects.exists()


def test_an_outsider_picks_nothing_of_others(
    client: Client, outsider: Any, fleet: list[Server]
) -> None:
    client.force_login(outsider)
    bar(post(client, "tick", *(server.pk for server in fleet)))
    assert ServerSelection.objects.get().ids == []
    bar(post(client, "all"))
    assert names(outsider, ServerSelection.objects.filter(is_all=True).get()) == []


@pytest.mark.parametrize(
    "ids", ["x", "-1", "1.5", "<b>", "\0", "", "9" * 40, "1 2", "٣"],
)  # fmt: skip
def test_ids_that_mean_nothing_are_refused_with_the_bar_as_it_was(
    client: Client, readonly: Any, fleet: list[Server], ids: str
) -> None:
    client.force_login(readonly)
    key = str(picked(readonly, fleet[:1]).pk)
    response = client.post(
        URL, {"act": "tick", "ids": [ids], "selection": key, "query": ""}, headers=HTMX
    )
    assert response.status_code == 422
    text = response.content.decode()
    assert "data-error=" in text
    assert "1 selected" in text
    assert id_in(text) == key


def test_a_hundred_thousand_ids_are_refused_at_once(
    client: Client, readonly: Any, fleet: list[Server]
) -> None:
    client.force_login(readonly)
    body = "act=tick&" + "&".join(f"ids={pk}" for pk in range(100_000))
    kind = "application/x-www-form-urlencoded"
    response = client.post(URL, body, content_type=kind, headers=HTMX)
    assert response.status_code == 400
    assert not ServerSelection.objects.exists()


def test_without_scripts_the_form_of_a_page_is_used(
    client: Client, readonly: Any, fleet: list[Server]
) -> None:
    client.force_login(readonly)
    page = [server.pk for server in fleet[:3]]
    data = {"act": "set", "ids": page[:2], "page_ids": page, "selection": "", "query": "q=web"}
    response = client.post(URL, data)
    assert response.status_code == 303
    key = str(ServerSelection.objects.get().pk)
    assert response["Location"] == f"/servers/?q=web&selection={key}"
    text = client.get(response["Location"]).content.decode()
    assert "2 selected" in text
    assert text.count(" checked>") >= 2
    # Another page: what was ticked on the first one stays.
    other = [server.pk for server in fleet[3:]]
    data |= {"ids": other[:1], "page_ids": other, "selection": key}
    client.post(URL, data)
    # The first page again, with one box empty now.
    data |= {"ids": page[1:2], "page_ids": page}
    client.post(URL, data)
    assert names(readonly, ServerSelection.objects.get()) == ["web-2", "web-4"]
    response = client.post(URL, data | {"ids": ["x"]})
    assert response.status_code == 303
    assert "is not understood" in client.get(response["Location"]).content.decode()


def test_the_redirect_stays_on_the_list(client: Client, readonly: Any, fleet: list[Server]) -> None:
    client.force_login(readonly)
    evil = "https://evil.example/?a=b\r\nX: y"
    response = client.post(URL, {"act": "set", "ids": [fleet[0].pk], "query": evil})
    assert response.status_code == 303
    assert response["Location"].startswith("/servers/?")
    assert "\n" not in response["Location"]


def test_rows_of_the_selection_are_ticked_on_every_list(
    client: Client, readonly: Any, fleet: list[Server]
) -> None:
    client.force_login(readonly)

    label = re.compile(r'aria-label="([^"]*)"')

    def ticked(query: str) -> list[str]:
        text = client.get(f"/servers/?{query}").content.decode()
        rows = [row.split("</tbody>")[0] for row in text.split("<tbody ")[1:]]
        return [found[1] for row in rows if " checked>" in row and (found := label.search(row))]

    some = picked(readonly, fleet[:2])
    assert ticked(f"selection={some.pk}") == ["web-1", "web-2"]
    assert ticked(f"q=web-2&selection={some.pk}") == ["web-2"]
    every = selection_all(actor=readonly, selection=None, query="q=web-[1-3]")
    selection_change(actor=readonly, selection=every, untick=[fleet[0].pk])
    assert ticked(f"q=web-[1-3]&selection={every.pk}") == ["web-2", "web-3"]
    assert ticked(f"selection={every.pk}") == ["web-2", "web-3"]


def test_a_selection_that_is_gone_is_told(
    client: Client, readonly: Any, user: Any, fleet: list[Server]
) -> None:
    client.force_login(readonly)
    foreign = picked(user, fleet)
    for key in (foreign.pk, uuid.uuid4(), "x"):
        text = client.get(f"/servers/?selection={key}").content.decode()
        assert "Selection “it is kept for a day, then gone”" in text
        assert "bp-selbar" not in text
        assert " checked>" not in text.split("<thead>")[1].split("</table>")[0]


@pytest.fixture
def three_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Actions of upper floors, each for another role."""
    monkeypatch.setattr(actions, "_actions", dict(actions._actions))
    for role in (Role.USER, Role.OPERATOR, Role.ADMIN):
        actions.action_register(
            Action(
                SERVER_PAGE, f"for-{role}", f"For {role}", role.value,
                bulk_url=lambda: "/servers/bulk/some", is_danger=role is Role.ADMIN,
            )
        )  # fmt: skip


def test_the_bar_offers_what_the_person_may_do_somewhere(
    client: Client, three_actions: None, readonly: Any, operator: Any, admin: Any,
    fleet: list[Server],
) -> None:  # fmt: skip
    expected = {
        readonly: ["read"],
        operator: ["read", "edit", "remove", "for-user", "for-operator"],
        admin: ["read", "edit", "remove", "for-user", "for-operator", "for-admin"],
    }  # fmt: skip
    for person, offered in expected.items():
        client.force_login(person)
        text = bar(post(client, "tick", fleet[0].pk))
        shown = re.findall(r'id="bulk-([^"]*)"', text)
        assert sorted(shown) == sorted(offered)
        key = id_in(text)
        assert f'action="/servers/bulk/read?selection={key}"' in text
        if person is admin:
            href = f'href="/servers/bulk/some?selection={key}"'
            assert text.count(href) == 3
            assert "For admin…" in text
            assert shown[-1] == "for-admin"


def test_power_is_not_offered_over_many(client: Client, admin: Any, fleet: list[Server]) -> None:
    client.force_login(admin)
    text = bar(post(client, "tick", fleet[0].pk))
    assert re.findall(r'id="bulk-([^"]*)"', text) == ["read", "edit", "remove"]
