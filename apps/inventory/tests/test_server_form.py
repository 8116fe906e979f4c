from __future__ import annotations

import socket
from typing import Any

import pytest
from django.test import Client

from apps.core.testing import make_cluster, make_profile, make_server, make_site
from apps.inventory.models import Bmc, Server, ServerStatus

pytestmark = pytest.mark.django_db
URL = "/servers/add"


@pytest.fixture
def typed(web: Any) -> dict[str, Any]:
    return {
        "name": "web-1",
        "cluster": web.pk,
        "site": make_site().pk,
        "address": "127.0.0.9",
        "port": "623",
        "profile": make_profile(clusters=[web]).pk,
        "suite": "auto",
    }


def test_readonly_and_user_may_not_add(client: Client, readonly: Any, user: Any) -> None:
    for person in (readonly, user):
        client.force_login(person)
        assert client.get(URL).status_code == 403
        assert client.post(URL, {}).status_code == 403


def test_an_operator_adds_a_server(client: Client, operator: Any, typed: dict[str, Any]) -> None:
    client.force_login(operator)
    assert "127.0.0.0/8" in client.get(URL).content.decode()
    response = client.post(URL, typed)
    server = Server.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/servers/{server.pk}/")
    assert (server.name, server.bmc.address, server.bmc.port) == ("web-1", "127.0.0.9", 623)
    assert ServerStatus.objects.get().power == "unknown"


def test_htmx_is_redirected_by_its_header(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    response = client.post(URL, typed, headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == f"/servers/{Server.objects.get().pk}/"


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"address": "8.8.8.8"}, "address", "Outside the allowed BMC networks"),
    ({"address": "169.254.169.254"}, "address", "Outside the allowed BMC networks"),
    ({"address": "0x7f.1"}, "address", "Not an IP address in its usual form"),
    ({"address": "127.0.0.1; rm"}, "address", "Not an IP address or host name"),
    ({"address": "x" * 300}, "address", "at most 253"),
    ({"port": "0"}, "port", "greater than or equal to 1"),
    ({"port": "65536"}, "port", "less than or equal to 65535"),
    ({"port": "six"}, "port", "Enter a whole number"),
    ({"name": ""}, "name", "required"),
    ({"name": "x" * 65}, "name", "at most 64"),
    ({"name": "web\x071"}, "name", "cannot be seen"),
    ({"name": "web\u202e1"}, "name", "cannot be seen"),
    ({"name": "web\u200b1"}, "name", "cannot be seen"),
    ({"name": "web\x001"}, "name", "Null characters"),
    ({"cluster": ""}, "cluster", "required"),
    ({"cluster": "999999"}, "cluster", "not one of the available"),
    ({"site": "999999"}, "site", "not one of the available"),
    ({"profile": "999999"}, "profile", "not one of the available"),
    ({"suite": "1"}, "suite", "not one of the available"),
]


@pytest.mark.parametrize(("change", "field", "sentence"), BAD)
def test_bad_input_is_told_at_its_field_and_nothing_is_stored(
    client: Client, operator: Any, typed: dict[str, Any], change: dict[str, Any],
    field: str, sentence: str,
) -> None:  # fmt: skip
    client.force_login(operator)
    response = client.post(URL, typed | change, headers={"HX-Request": "true"})
    assert response.status_code == 422
    text = response.content.decode()
    assert text.startswith("<form")
    told = text[text.index(f'id="id_{field}_error"') :].split("</div>")[0]
    assert sentence in told
    assert not Server.objects.exists()
    assert not Bmc.objects.exists()


def test_a_name_that_resolves_to_a_forbidden_network_is_refused(
    client: Client, operator: Any, typed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_args: Any, **_kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("169.254.169.254", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    client.force_login(operator)
    response = client.post(URL, typed | {"address": "bmc.example"})
    assert response.status_code == 422
    assert "Outside the allowed BMC networks" in response.content.decode()
    assert not Bmc.objects.exists()


def test_an_unknown_host_name_is_told(
    client: Client, operator: Any, typed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_args: Any, **_kwargs: Any) -> list[Any]:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    client.force_login(operator)
    response = client.post(URL, typed | {"address": "no-such-bmc.example"})
    assert response.status_code == 422
    assert "No address was found for this name" in response.content.decode()


def test_a_taken_name_and_a_taken_address_are_told(
    client: Client, operator: Any, typed: dict[str, Any], web: Any
) -> None:
    make_server(name="web-1", address="127.0.0.9", cluster=web)
    client.force_login(operator)
    text = client.post(URL, typed).content.decode()
    assert "Another server has this name." in text
    assert "A BMC at this address and port is in the portal already." in text
    assert Server.objects.count() == 1


def test_a_profile_of_others_cannot_be_bound(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    foreign = make_profile(name="secret-sauce", clusters=[make_cluster("elsewhere")])
    client.force_login(operator)
    response = client.post(URL, typed | {"profile": foreign.pk})
    assert response.status_code == 422
    assert "secret-sauce" not in response.content.decode()
    assert not Server.objects.exists()


def test_a_profile_is_not_bound_outside_its_networks(
    client: Client, operator: Any, typed: dict[str, Any], web: Any
) -> None:
    narrow = make_profile(networks=["127.5.0.0/16"], clusters=[web])
    client.force_login(operator)
    response = client.post(URL, typed | {"profile": narrow.pk})
    assert response.status_code == 422
    text = response.content.decode()
    assert "do not contain the address" in text[text.index('id="id_profile_error"') :]
    assert not Server.objects.exists()


def test_html_in_a_name_is_stored_as_text(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    client.post(URL, typed | {"name": "<script>alert(1)</script>"})
    server = Server.objects.get()
    assert server.name == "<script>alert(1)</script>"
    for page in (f"/servers/{server.pk}/", f"/servers/{server.pk}/edit", "/servers/"):
        assert "<script>alert" not in client.get(page).content.decode()


def test_an_operator_edits_and_moves_only_among_own_clusters(
    client: Client, operator: Any, typed: dict[str, Any], web: Any
) -> None:
    server = make_server(name="old", cluster=web, address="127.0.0.9")
    url = f"/servers/{server.pk}/edit"
    client.force_login(operator)
    assert 'value="old"' in client.get(url).content.decode()
    assert client.post(url, typed).status_code == 303
    server.refresh_from_db()
    assert server.name == "web-1"
    away = make_cluster("elsewhere")
    assert client.post(url, typed | {"cluster": away.pk}).status_code == 422
    server.refresh_from_db()
    assert server.cluster == web


def test_an_admin_may_leave_the_cluster_out(
    client: Client, admin: Any, typed: dict[str, Any]
) -> None:
    client.force_login(admin)
    assert client.post(URL, typed | {"cluster": ""}).status_code == 303
    assert Server.objects.get().cluster is None


def test_an_empty_form_is_told(client: Client, operator: Any) -> None:
    client.force_login(operator)
    assert client.post(URL, {}).status_code == 422


def test_without_a_site_it_says_what_comes_first(client: Client, admin: Any, operator: Any) -> None:
    client.force_login(admin)
    assert 'href="/sites/add"' in client.get(URL).content.decode()
    client.force_login(operator)
    text = client.get(URL).content.decode()
    assert "There is no site yet." in text
    assert 'href="/sites/add"' not in text
