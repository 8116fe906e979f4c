from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from axes.utils import reset
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.testing import PASSWORD, make_user

SAME_SENTENCE = "Name or password is not right. After 10 wrong tries there is a pause of 15 min."
PAUSE = "There is a pause of 15 min"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_tries_before(db: None) -> None:
    reset()


@pytest.fixture
def anna() -> User:
    return make_user("anna")


def sign_in(client: Client, name: str, password: str, **more: str) -> Any:
    return client.post(reverse("accounts:sign_in"), {"username": name, "password": password} | more)


def test_a_stranger_is_sent_to_the_sign_in_page(client: Client) -> None:
    answer = client.get(reverse("inventory:server_list"))

    assert answer.status_code == HTTPStatus.FOUND
    assert answer["Location"].startswith(reverse("accounts:sign_in") + "?next=")


def test_the_page_is_for_everybody_and_is_not_cached(client: Client) -> None:
    answer = client.get(reverse("accounts:sign_in"))

    assert answer.status_code == HTTPStatus.OK
    assert "no-store" in answer["Cache-Control"]
    assert "unsafe" not in answer["Content-Security-Policy"]


def test_the_right_password_leads_to_the_servers(client: Client, anna: User) -> None:
    client.get(reverse("accounts:sign_in"))

    answer = sign_in(client, "anna", PASSWORD)

    assert answer.status_code == HTTPStatus.FOUND
    assert answer["Location"] == reverse(settings.LOGIN_REDIRECT_URL)
    assert client.session["_auth_user_id"] == str(anna.pk)


def test_the_session_key_changes_at_sign_in(client: Client, anna: User) -> None:
    session = client.session
    session["x"] = 1
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    before = str(session.session_key)

    sign_in(client, "anna", PASSWORD)

    assert client.session.session_key != before


@pytest.mark.parametrize("name", ["anna", "nobody", "left"])
def test_one_sentence_for_every_reason(client: Client, anna: User, name: str) -> None:
    make_user("left", is_active=False)

    answer = sign_in(client, name, "not-the-secret-one" if name == "anna" else PASSWORD)

    page = answer.content.decode()
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert SAME_SENTENCE in page
    assert "not-the-secret-one" not in page
    assert PASSWORD not in page
    assert "_auth_user_id" not in client.session


def test_after_ten_wrong_tries_even_the_right_password_waits(client: Client, anna: User) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, "anna", "wrong-one")
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS

    answer = sign_in(client, "anna", PASSWORD)

    page = answer.content.decode()
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert answer["Retry-After"] == "900"
    assert PAUSE in page
    assert PASSWORD not in page
    assert "_auth_user_id" not in client.session


def test_the_pause_holds_for_that_name_only(client: Client, anna: User) -> None:
    make_user("ben")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, "anna", "wrong-one")

    assert sign_in(client, "ben", PASSWORD).status_code == HTTPStatus.FOUND


@pytest.mark.parametrize(
    "next_url", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil"]
)
def test_nobody_is_sent_to_another_site(client: Client, anna: User, next_url: str) -> None:
    answer = sign_in(client, "anna", PASSWORD, next=next_url)

    assert answer["Location"] == reverse(settings.LOGIN_REDIRECT_URL)


def test_a_path_of_the_portal_is_kept(client: Client, anna: User) -> None:
    page = client.get(reverse("accounts:sign_in"), {"next": "/servers/?q=web"}).content.decode()
    assert 'name="next" value="/servers/?q=web"' in page

    answer = sign_in(client, "anna", PASSWORD, next="/servers/?q=web")

    assert answer["Location"] == "/servers/?q=web"


def test_who_is_signed_in_needs_no_form(client: Client, anna: User) -> None:
    client.force_login(anna)

    assert client.get(reverse("accounts:sign_in")).status_code == HTTPStatus.FOUND


def test_sign_in_needs_the_token(anna: User) -> None:
    strict = Client(enforce_csrf_checks=True)

    answer = sign_in(strict, "anna", PASSWORD)

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "Nothing was changed" in answer.content.decode()


def test_sign_out_needs_a_post(client: Client, anna: User) -> None:
    client.force_login(anna)

    assert client.get(reverse("accounts:sign_out")).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert "_auth_user_id" in client.session

    answer = client.post(reverse("accounts:sign_out"))

    assert answer["Location"] == reverse("accounts:sign_in")
    assert "_auth_user_id" not in client.session


def test_the_theme_is_kept_and_leads_back(client: Client, anna: User) -> None:
    client.force_login(anna)

    answer = client.post(reverse("accounts:theme_set"), {"theme": "dark", "next": "/servers/?q=a"})

    anna.refresh_from_db()
    assert anna.theme == "dark"
    assert (answer.status_code, answer["Location"]) == (HTTPStatus.SEE_OTHER, "/servers/?q=a")


@pytest.mark.parametrize(("theme", "kept"), [("neon", "light"), ("", "")])
def test_only_known_themes(client: Client, anna: User, theme: str, kept: str) -> None:
    User.objects.filter(pk=anna.pk).update(theme="light")
    client.force_login(anna)

    answer = client.post(
        reverse("accounts:theme_set"), {"theme": theme, "next": "https://evil.example"}
    )

    anna.refresh_from_db()
    assert anna.theme == kept
    assert answer["Location"] == reverse(settings.LOGIN_REDIRECT_URL)


def test_the_theme_needs_a_post_and_somebody(client: Client, anna: User) -> None:
    assert client.post(reverse("accounts:theme_set")).status_code == HTTPStatus.FOUND  # sign in

    client.force_login(anna)
    assert client.get(reverse("accounts:theme_set")).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_a_part_of_a_page_asked_for_after_the_session_ended_leads_the_whole_page_to_sign_in(
    client: Client,
) -> None:
    asked = {"HX-Request": "true", "HX-Current-URL": "http://testserver/servers/7/?x=1"}

    response = client.get("/servers/7/power/off/", headers=asked, follow=True)

    assert response.headers["HX-Redirect"] == "/account/sign-in?next=%2Fservers%2F7%2F%3Fx%3D1"
    assert not response.content


def test_another_site_is_never_where_sign_in_leads(client: Client) -> None:
    asked = {"HX-Request": "true", "HX-Current-URL": "http://evil.example/x"}

    response = client.get("/account/sign-in", headers=asked)

    assert response.headers["HX-Redirect"] == "/account/sign-in?next=%2F"
