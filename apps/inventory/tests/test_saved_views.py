from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from apps.core.testing import make_server
from apps.inventory.models import SavedView
from apps.inventory.services import saved_views
from apps.inventory.services.saved_views import view_create, view_delete, view_rename

pytestmark = pytest.mark.django_db
ADD = "/servers/views/add"
HTMX = {"HX-Request": "true"}


def test_a_list_is_kept_in_its_plain_form(client: Client, readonly: Any, web: Any) -> None:
    make_server(cluster=web)
    client.force_login(readonly)
    query = f"power=on&q=web&junk=1&page=3&cluster={web.pk}&sort=-power&columns=site&model="
    response = client.post(ADD, {"name": "Mine", "query": query})
    assert response.status_code == 303
    view = SavedView.objects.get()
    assert view.user == readonly
    assert view.query == (
        f"q=web&power=on&cluster={web.pk}&sort=-power&columns=name%2Cpower%2Csite"
    )
    assert response["Location"] == f"/servers/?{view.query}"


def test_the_view_that_is_shown_is_marked(client: Client, readonly: Any, web: Any) -> None:
    make_server(cluster=web)
    SavedView.objects.create(user=readonly, name="On <b>", query="power=on&sort=rack")
    client.force_login(readonly)

    def marked(query: str) -> list[str]:
        text = client.get(f"/servers/{query}").content.decode()
        nav = text[text.index('id="list-views"') :].split("</nav>")[0]
        return re.findall(r'aria-current="page">([^<]*)<', nav)

    assert marked("?sort=rack&power=on&page=1&junk=2") == ["On &lt;b&gt;"]
    assert marked("") == ["All servers"]
    assert marked("?power=on") == []


def test_views_are_their_persons_alone(client: Client, readonly: Any, user: Any, web: Any) -> None:
    make_server(cluster=web)
    view = SavedView.objects.create(user=user, name="Secret plan", query="power=on")
    assert client.get(ADD).status_code == 302
    client.force_login(readonly)
    for path in ("/servers/", "/servers/views/"):
        assert "Secret plan" not in client.get(path).content.decode()
    for verb in ("edit", "delete"):
        assert client.post(f"/servers/views/{view.pk}/{verb}", {"name": "x"}).status_code == 404
        assert client.post(f"/servers/views/999999/{verb}", {"name": "x"}).status_code == 404
    assert client.get(f"/servers/views/{view.pk}/edit").status_code == 404
    view_delete(actor=readonly, view=view)
    with pytest.raises(SavedView.DoesNotExist):
        view_rename(actor=readonly, view=view, name="x")
    assert SavedView.objects.get().name == "Secret plan"


def test_rename_and_remove(client: Client, readonly: Any) -> None:
    view = view_create(actor=readonly, name="a", query="power=on")
    client.force_login(readonly)
    assert "a" in client.get("/servers/views/").content.decode()
    dialog = client.get(f"/servers/views/{view.pk}/edit", headers=HTMX).content.decode()
    assert dialog.lstrip().startswith("<dialog")
    assert 'value="a"' in dialog
    response = client.post(f"/servers/views/{view.pk}/edit", {"name": "b", "query": "power=off"})
    assert response["Location"] == reverse("inventory:server_view_list")
    view.refresh_from_db()
    assert (view.name, view.query) == ("b", "power=on")
    assert client.get(f"/servers/views/{view.pk}/delete").status_code == 405
    assert client.post(f"/servers/views/{view.pk}/delete").status_code == 303
    assert not SavedView.objects.exists()
    assert "No views yet" in client.get("/servers/views/").content.decode()


@pytest.mark.parametrize(
    "name", ["", " ", "x" * 65, "a\0b", "a\nb", "a\x1bb", "a\u202eb", "\u200b"]
)
def test_bad_names_are_refused_and_what_was_typed_stays(
    client: Client, readonly: Any, name: str
) -> None:
    client.force_login(readonly)
    for headers in ({}, HTMX):
        response = client.post(ADD, {"name": name, "query": "power=on"}, headers=headers)
        assert response.status_code == 422
        assert 'value="power=on"' in response.content.decode()
    assert not SavedView.objects.exists()


def test_a_name_of_html_is_text(client: Client, readonly: Any, web: Any) -> None:
    make_server(cluster=web)
    client.force_login(readonly)
    client.post(ADD, {"name": "<img src=x>", "query": ""})
    for path in ("/servers/", "/servers/views/"):
        text = client.get(path).content.decode()
        assert "<img" not in text
        assert "&lt;img src=x&gt;" in text


def test_a_name_is_taken_once_a_person(client: Client, readonly: Any, user: Any) -> None:
    view_create(actor=user, name="a", query="")
    view_create(actor=readonly, name="a", query="")
    other = view_create(actor=readonly, name="b", query="")
    client.force_login(readonly)
    response = client.post(ADD, {"name": "a", "query": ""})
    assert response.status_code == 422
    assert "You have a view of this name." in response.content.decode()
    assert client.post(f"/servers/views/{other.pk}/edit", {"name": "a"}).status_code == 422
    assert SavedView.objects.filter(user=readonly).count() == 2


def test_there_is_a_most(
    client: Client, readonly: Any, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_views, "MOST_VIEWS", 2)
    view_create(actor=user, name="of somebody else", query="")
    for name in "ab":
        view_create(actor=readonly, name=name, query="")
    client.force_login(readonly)
    response = client.post(ADD, {"name": "c", "query": ""})
    assert response.status_code == 422
    assert "You have 2 views already." in response.content.decode()
    with pytest.raises(ValidationError):
        view_create(actor=user, name="long", query="x" * 2001)


def test_a_query_too_long_to_be_kept_is_refused(client: Client, readonly: Any) -> None:
    client.force_login(readonly)
    query = "q=" + "%E6%9C%8D%2C" * 230
    response = client.post(ADD, {"name": "a", "query": query})
    assert response.status_code == 422
    assert "too long to be kept" in response.content.decode()
    assert client.post(ADD, {"name": "b", "query": "x=" + "y" * 900_000}).status_code == 303
    assert SavedView.objects.get().query == ""


@pytest.mark.parametrize("query", ["%", "&&&", "=", "q", "?" * 50, "a\0", "q=%FF", "power=<b>"])
def test_any_text_may_come_as_a_query(client: Client, readonly: Any, query: str) -> None:
    client.force_login(readonly)
    assert client.get(ADD, {"query": query}).status_code == 200
    assert client.post(ADD, {"name": "a", "query": query}).status_code == 303
    assert "<b>" not in SavedView.objects.get().query
