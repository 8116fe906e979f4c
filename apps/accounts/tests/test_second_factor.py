"""The pages of the second factor: on the way in, and where people set it up."""

from __future__ import annotations

import datetime as dt
import re
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.services.factors import MOST_KEYS
from apps.accounts.tests.second_factor import (
    app_add,
    app_code,
    enter,
    recovery_codes_add,
    wrong_code,
)
from apps.audit.models import AuditEntry
from apps.core.testing import PASSWORD, api_client, make_user

pytestmark = pytest.mark.django_db


def send_code(client: Client, code: str) -> Any:
    return client.post(reverse("accounts:second_factor"), {"code": code})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def entries() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


# -------------------------------------------------------------------- the way in


def test_the_password_alone_is_not_enough(client: Client, anna: User) -> None:
    app_add(anna)

    answer = enter(client)

    assert answer["Location"] == reverse("accounts:second_factor")
    assert not is_in(client)
    assert client.get(reverse("inventory:server_list")).status_code == HTTPStatus.FOUND
    assert api_client().get("/api/servers/").status_code == HTTPStatus.UNAUTHORIZED


def test_the_code_leads_where_the_sign_in_was_going(client: Client, anna: User) -> None:
    app_add(anna)
    enter(client, next="/servers/?q=web")
    before = client.session.session_key
    page = client.get(reverse("accounts:second_factor"))
    assert "no-store" in page["Cache-Control"]

    answer = send_code(client, app_code())

    assert answer["Location"] == "/servers/?q=web"
    assert is_in(client)
    assert client.session.session_key != before
    entry = AuditEntry.objects.get(action="accounts.sign_in")
    assert entry.after == {"proofs": ["password", "totp"]}


def test_a_wrong_code_is_said_and_counted(client: Client, anna: User) -> None:
    app_add(anna)
    enter(client)

    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        answer = send_code(client, wrong_code())
        assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "The code is not right" in answer.content.decode()
    answer = send_code(client, wrong_code())
    assert (answer.status_code, answer["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "900")
    assert send_code(client, app_code()).status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert enter(Client()).status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not is_in(client)


def test_a_recovery_code_lets_in_once(client: Client, anna: User) -> None:
    app_add(anna)
    code = recovery_codes_add(anna)[0]
    enter(client)
    send_code(client, code)
    assert is_in(client)

    other = Client()
    enter(other)
    assert send_code(other, code).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_nobody_asks_for_a_code_before_the_password(client: Client, anna: User) -> None:
    app_add(anna)

    for answer in (client.get(reverse("accounts:second_factor")), send_code(client, app_code())):
        assert answer["Location"] == reverse("accounts:sign_in")
    assert not is_in(client)


def test_who_waited_too_long_or_was_changed_meanwhile_starts_again(
    client: Client, anna: User
) -> None:
    app_add(anna)
    enter(client)
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=16)):
        assert send_code(client, app_code())["Location"] == reverse("accounts:sign_in")
    for change in ({"is_active": False}, {"is_active": True, "password": "!"}):
        enter(client)
        User.objects.filter(pk=anna.pk).update(**change)
        assert send_code(client, app_code(steps=1))["Location"] == reverse("accounts:sign_in")
        User.objects.filter(pk=anna.pk).update(is_active=True)
    assert not is_in(client)


HOSTILE = [
    "", "null", "[]", "{}", "[" * 9_000, '{"response": 1}', '"x"', "{" * 30_000,
    '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "e30",'
    ' "authenticatorData": "AA", "signature": "AA", "attestationObject": "gYGB"}}',
]  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE)
def test_a_hostile_answer_of_a_key_is_a_wrong_one(client: Client, anna: User, answer: str) -> None:
    app_add(anna)
    enter(client)
    client.get(reverse("accounts:second_factor"))

    given = client.post(reverse("accounts:second_factor"), {"credential": answer})

    assert given.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not is_in(client)


# -------------------------------------------------------------------- setting it up


def seed_shown(client: Client) -> str:
    page = client.get(reverse("accounts:app_add")).content.decode()
    found = re.search(r'<p class="mono">([A-Z2-7 ]+)</p>', page)
    assert found
    return found[1].replace(" ", "")


def test_an_app_is_added_with_its_first_code_and_recovery_codes_are_shown_once(
    at_home: Client, anna: User
) -> None:
    seed = seed_shown(at_home)
    assert seed_shown(at_home) == seed

    wrong = at_home.post(reverse("accounts:app_add"), {"code": wrong_code(seed)})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    page = at_home.post(reverse("accounts:app_add"), {"code": app_code(seed)})

    codes = re.findall(r"<li>(\d{4} \d{4})</li>", page.content.decode())
    assert len(set(codes)) == 10
    assert "no-store" in page["Cache-Control"]
    shown = at_home.get(reverse("accounts:security")).content.decode()
    assert "10 of 10 are left" in shown
    assert not any(code in shown for code in codes)
    assert entries() == [
        "accounts.sign_in", "accounts.second_factor.add", "accounts.recovery_codes.new",
    ]  # fmt: skip
    told = "".join(map(str, AuditEntry.objects.values_list("before", "after", "reason")))
    assert seed not in told
    assert codes[0].replace(" ", "") not in told
    other = Client()
    enter(other)
    assert send_code(other, app_code(seed)).status_code == HTTPStatus.UNPROCESSABLE_ENTITY  # used
    assert send_code(other, codes[0]).status_code == HTTPStatus.FOUND


def test_there_is_one_app_only(at_home: Client, anna: User) -> None:
    seed = seed_shown(at_home)
    app_add(anna)

    answer = at_home.post(reverse("accounts:app_add"), {"code": app_code(seed)})

    assert "There is an app already" in answer.content.decode()
    assert Authenticator.objects.filter(type="totp").count() == 1


def test_recovery_codes_go_with_the_last_factor(at_home: Client, anna: User) -> None:
    app_add(anna)
    recovery_codes_add(anna)
    asked = at_home.get(reverse("accounts:app_remove"))
    assert "only second factor" in asked.content.decode()

    answer = at_home.post(reverse("accounts:app_remove"))

    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert not Authenticator.objects.exists()
    assert entries()[-1] == "accounts.second_factor.remove"


def test_new_recovery_codes_end_the_old_ones(at_home: Client, anna: User) -> None:
    url = reverse("accounts:recovery_codes_new")
    assert at_home.post(url).status_code == HTTPStatus.NOT_FOUND  # nothing they could stand for
    app_add(anna)
    old = recovery_codes_add(anna)

    page = at_home.post(url).content.decode()

    assert len(re.findall(r"<li>\d{4} \d{4}</li>", page)) == 10
    other = Client()
    enter(other)
    assert send_code(other, old[0]).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize("name", ["app_add", "app_remove", "key_add"])
def test_what_changes_the_way_in_asks_again_who_it_is(
    at_home: Client, anna: User, name: str
) -> None:
    if name == "app_remove":
        app_add(anna)
    url, later = reverse(f"accounts:{name}"), dt.datetime.now(dt.UTC) + dt.timedelta(minutes=6)
    with time_machine.travel(later):
        answer = at_home.get(url)
        assert answer["Location"] == f"{reverse('accounts:confirm')}?next={url.replace('/', '%2F')}"
        assert at_home.post(url)["Location"].startswith(reverse("accounts:confirm"))
        assert at_home.post(reverse("accounts:recovery_codes_new")).status_code == 303
        assert not AuditEntry.objects.filter(action__startswith="accounts.second").exists()

        wrong = at_home.post(reverse("accounts:confirm"), {"password": "wrong", "next": url})
        assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert at_home.get(url).status_code == HTTPStatus.SEE_OTHER
        right = at_home.post(reverse("accounts:confirm"), {"password": PASSWORD, "next": url})
        assert right["Location"] == url
        assert at_home.get(url).status_code == HTTPStatus.OK


def test_a_code_confirms_too_and_guesses_are_counted(at_home: Client, anna: User) -> None:
    app_add(anna)
    url = reverse("accounts:confirm")
    assert at_home.post(url, {"code": app_code()})["Location"] == reverse("accounts:security")
    evil = at_home.post(url, {"code": app_code(steps=1), "next": "https://evil.example"})
    assert evil["Location"] == reverse("accounts:security")

    for _ in range(settings.AXES_FAILURE_LIMIT - 5):
        at_home.post(url, {"code": wrong_code()})
    for _ in range(5):
        answer = at_home.post(url, {"password": "wrong"})

    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert at_home.post(url, {"password": PASSWORD}).status_code == HTTPStatus.TOO_MANY_REQUESTS


def test_nobody_removes_the_key_of_somebody_else(at_home: Client, anna: User) -> None:
    theirs = Authenticator.objects.create(
        user=make_user("ben"), type="webauthn", data={"name": "blue", "credential": {}}
    )
    url = reverse("accounts:key_remove", args=[theirs.pk])

    assert at_home.get(url).status_code == HTTPStatus.NOT_FOUND
    assert at_home.post(url).status_code == HTTPStatus.NOT_FOUND
    assert Authenticator.objects.count() == 1


@pytest.mark.parametrize("answer", HOSTILE)
def test_what_is_no_key_is_not_added(at_home: Client, anna: User, answer: str) -> None:
    at_home.get(reverse("accounts:key_add"))

    given = at_home.post(reverse("accounts:key_add"), {"name": "blue", "credential": answer})

    assert given.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not Authenticator.objects.exists()


def test_the_page_shows_keys_by_name_and_their_number_ends(at_home: Client, anna: User) -> None:
    for number in range(MOST_KEYS):
        data = {"name": f"key <{number}>", "credential": {}}
        Authenticator.objects.create(user=anna, type="webauthn", data=data)

    page = at_home.get(reverse("accounts:security")).content.decode()

    assert "key &lt;3&gt;" in page
    assert reverse("accounts:key_add") + '"' not in page
