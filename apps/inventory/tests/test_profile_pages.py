from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.core.testing import make_profile
from apps.inventory.models import CredentialProfile

pytestmark = pytest.mark.django_db
URL = "/profiles/add"
CANARY = "canary-Pa55"


@pytest.fixture
def typed(web: Any) -> dict[str, Any]:
    return {
        "name": "dell",
        "username": "portal",
        "password": CANARY,
        "kg": "",
        "networks": "127.0.0.0/8\n10.0.4.0/24",
        "privilege": "3",
        "clusters": [web.pk],
    }


@pytest.mark.parametrize("path", ["/profiles/", URL, "/profiles/1/edit"])
def test_anonymous_signs_in_and_others_get_403(
    client: Client, path: str, readonly: Any, operator: Any, outsider: Any
) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:sign_in"))
    for person in (readonly, operator, outsider):
        client.force_login(person)
        assert client.get(path).status_code == 403
        assert client.post(URL, {}).status_code == 403


def test_an_admin_adds_a_profile_and_its_password_never_comes_back(
    client: Client, admin: Any, typed: dict[str, Any]
) -> None:
    client.force_login(admin)
    assert client.post(URL, typed).status_code == 303
    profile = CredentialProfile.objects.get()
    assert profile.credential().password.reveal() == CANARY
    assert profile.networks == ["127.0.0.0/8", "10.0.4.0/24"]
    for path in ("/profiles/", f"/profiles/{profile.pk}/edit"):
        text = client.get(path).content.decode()
        assert CANARY not in text
        assert profile.sealed_password not in text
    assert CANARY not in str(list(AuditEntry.objects.values()))
    refused = client.post(URL, typed | {"name": ""})
    assert refused.status_code == 422
    assert CANARY not in refused.content.decode()


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "required"),
    ({"name": "a\x1bb"}, "name", "cannot be seen"),
    ({"username": ""}, "username", "null user"),
    ({"username": "   "}, "username", "null user"),
    ({"username": "x" * 17}, "username", "at most 16"),
    ({"username": "ü" * 9}, "username", "At most 16 bytes; this has 18"),
    ({"username": "a\x07b"}, "username", "cannot be seen"),
    ({"password": ""}, "password", "required"),
    ({"password": "x" * 21}, "password", "At most 20 bytes; this has 21"),
    ({"password": "ü" * 11}, "password", "At most 20 bytes; this has 22"),
    ({"password": "a\nb"}, "password", "control characters"),
    ({"kg": "k" * 21}, "kg", "At most 20 bytes"),
    ({"networks": ""}, "networks", "required"),
    ({"networks": "10.0.0.1/8"}, "networks", "is not a network"),
    ({"networks": "<b>"}, "networks", "is not a network"),
    ({"privilege": "5"}, "privilege", "not one of the available"),
    ({"clusters": ["999"]}, "clusters", "not one of the available"),
]


@pytest.mark.parametrize(("change", "field", "sentence"), BAD)
def test_bad_input_is_told_at_its_field_and_nothing_is_stored(
    client: Client, admin: Any, typed: dict[str, Any], change: dict[str, Any],
    field: str, sentence: str,
) -> None:  # fmt: skip
    client.force_login(admin)
    response = client.post(URL, typed | change, headers={"HX-Request": "true"})
    assert response.status_code == 422
    text = response.content.decode()
    told = text[text.index(f'id="id_{field}_error"') :].split("</div>")[0]
    assert sentence in told
    assert CANARY not in text
    assert not CredentialProfile.objects.exists()


def test_twenty_bytes_are_enough(client: Client, admin: Any, typed: dict[str, Any]) -> None:
    client.force_login(admin)
    assert client.post(URL, typed | {"password": "x" * 20}).status_code == 303


def test_an_empty_password_keeps_the_stored_one(
    client: Client, admin: Any, typed: dict[str, Any]
) -> None:
    profile = make_profile(name="old", password="kept", networks=["127.0.0.0/8", "10.0.0.0/8"])
    url = f"/profiles/{profile.pk}/edit"
    client.force_login(admin)
    assert client.post(url, typed | {"password": ""}).status_code == 303
    profile.refresh_from_db()
    assert profile.name == "dell"
    assert profile.credential().password.reveal() == "kept"


def test_wider_networks_need_the_password_again(
    client: Client, admin: Any, typed: dict[str, Any]
) -> None:
    profile = make_profile(networks=["127.0.0.0/8"])
    client.force_login(admin)
    response = client.post(f"/profiles/{profile.pk}/edit", typed | {"password": ""})
    assert response.status_code == 422
    told = response.content.decode().split('id="id_password_error"')[1].split("</div>")[0]
    assert "Wider networks need the password again" in told
    profile.refresh_from_db()
    assert profile.networks == ["127.0.0.0/8"]


def test_a_key_alone_is_not_silently_dropped(
    client: Client, admin: Any, typed: dict[str, Any]
) -> None:
    profile = make_profile(networks=["127.0.0.0/8", "10.0.4.0/24"])
    client.force_login(admin)
    url = f"/profiles/{profile.pk}/edit"
    response = client.post(url, typed | {"password": "", "kg": "key"})
    assert response.status_code == 422
    assert "both are stored together" in response.content.decode()


def test_the_number_of_queries_does_not_grow(
    client: Client, admin: Any, django_assert_num_queries: Any
) -> None:
    client.force_login(admin)
    make_profile()
    client.get("/profiles/")
    with django_assert_num_queries(5):
        client.get("/profiles/")
    for _ in range(10):
        make_profile()
    with django_assert_num_queries(5):
        client.get("/profiles/")
