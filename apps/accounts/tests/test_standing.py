"""The own password, what is asked of people before they go on, and Django admin's door."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.tests.second_factor import (
    app_add,
    enter,
    policy_asks,
)
from apps.audit.models import AuditEntry
from apps.audit.words import action_words
from apps.clusters.choices import Role
from apps.core.testing import PASSWORD, make_user
from apps.inventory.live import signed_in

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another long passphrase"


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def entries() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


# -------------------------------------------------------------------- the password


def change(client: Client, old: str = PASSWORD, new: str = NEW_PASSWORD, again: str = "") -> Any:
    given = {"password": old, "new_password1": new, "new_password2": again or new}
    return client.post(reverse("accounts:password_change"), given)


def test_a_new_password_ends_every_other_session(at_home: Client, anna: User) -> None:
    other = Client()
    enter(other)
    before = at_home.session.session_key

    answer = change(at_home)

    assert answer["Location"] == reverse("accounts:security")
    assert at_home.session.session_key != before
    assert at_home.get(reverse("accounts:security")).status_code == HTTPStatus.OK
    assert other.get(reverse("accounts:security")).status_code == HTTPStatus.FOUND
    assert enter(Client()).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert enter(Client(), NEW_PASSWORD).status_code == HTTPStatus.FOUND
    assert entries().count("accounts.user.set_password") == 1


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [("wrong", NEW_PASSWORD, ""), (PASSWORD, "short", ""), (PASSWORD, PASSWORD, ""),
     (PASSWORD, NEW_PASSWORD, "something else long"), (PASSWORD, "password1234", ""),
     (PASSWORD, "x" * 5_000, "")],
)  # fmt: skip
def test_what_cannot_be_a_password_changes_nothing(
    at_home: Client, anna: User, old: str, new: str, again: str
) -> None:
    answer = change(at_home, old, new, again)

    page = answer.content.decode()
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not any(f'value="{word}"' in page for word in (old, new, again) if word)
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


def test_guesses_at_the_old_password_are_counted(at_home: Client, anna: User) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = change(at_home, "wrong")
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert change(at_home).status_code == HTTPStatus.TOO_MANY_REQUESTS


# -------------------------------------------------------------------- what is asked of people


def test_who_must_change_the_password_is_led_there_and_then_goes_on(
    at_home: Client, anna: User
) -> None:
    User.objects.filter(pk=anna.pk).update(must_change_password=True)

    for name in ("inventory:server_list", "accounts:security", "admin:index"):
        answer = at_home.get(reverse(name))
        assert answer["Location"] == reverse("accounts:password_change")
    refused = at_home.get("/api/servers/")
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert refused.json()["code"] == "password_change_needed"

    change(at_home)
    assert at_home.get(reverse("inventory:server_list")).status_code == HTTPStatus.OK


def test_who_lacks_a_second_factor_is_led_to_its_page(at_home: Client, anna: User) -> None:
    policy_asks(Role.OPERATOR)
    security = reverse("accounts:security")

    assert at_home.get(reverse("inventory:server_list"))["Location"] == security
    fragment = at_home.get(reverse("inventory:server_list"), headers={"HX-Request": "true"})
    assert fragment["HX-Redirect"] == security
    assert not fragment.content
    refused = at_home.get("/api/servers/")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_missing")
    assert security in refused.json()["hint"]
    assert "Your role needs a second factor" in at_home.get(security).content.decode()
    assert at_home.get(reverse("accounts:app_add")).status_code == HTTPStatus.OK

    app_add(anna)
    assert at_home.get(reverse("inventory:server_list")).status_code == HTTPStatus.OK


def test_who_is_not_asked_goes_on(client: Client) -> None:
    policy_asks(Role.ADMIN)
    client.force_login(make_user("reader", Role.READONLY))

    assert client.get(reverse("inventory:server_list")).status_code == HTTPStatus.OK


def test_who_lacks_a_second_factor_still_signs_out(at_home: Client, anna: User) -> None:
    policy_asks(Role.ADMIN)

    at_home.post(reverse("accounts:sign_out"))

    assert not is_in(at_home)
    assert entries()[-1] == "accounts.sign_out"


def test_what_is_asked_of_people_costs_no_query_of_its_own(
    at_home: Client, anna: User, django_assert_max_num_queries: Any
) -> None:
    policy_asks(Role.ADMIN)
    app_add(anna)
    with django_assert_max_num_queries(3):  # session, person, factors
        assert at_home.get(reverse("accounts:security")).status_code == HTTPStatus.OK


def test_live_updates_end_for_whom_something_is_asked(at_home: Client, anna: User) -> None:
    key = at_home.session.session_key
    assert signed_in(key) == anna

    policy_asks(Role.ADMIN)
    assert signed_in(key) is None
    policy_asks("")
    User.objects.filter(pk=anna.pk).update(must_change_password=True)
    assert signed_in(key) is None


# -------------------------------------------------------------------- Django admin


def test_django_admin_has_no_door_of_its_own(client: Client, anna: User) -> None:
    answer = client.get(reverse("admin:login"), {"next": "/admin/auth/"})
    assert answer["Location"] == f"{reverse('accounts:sign_in')}?next=%2Fadmin%2Fauth%2F"
    posted = client.post(reverse("admin:login"), {"username": "anna", "password": PASSWORD})
    assert posted.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert not is_in(client)

    enter(client)
    assert client.get(reverse("admin:login")).status_code == HTTPStatus.FORBIDDEN
    assert client.get("/admin/password_change/").status_code == HTTPStatus.NOT_FOUND


def test_everything_at_the_door_has_words_in_the_audit() -> None:
    for action in (
        "accounts.sign_in", "accounts.sign_in.failed", "accounts.sign_out",
        "accounts.second_factor.add", "accounts.second_factor.remove",
        "accounts.recovery_codes.new", "accounts.user.set_password",
    ):  # fmt: skip
        assert action_words(action) != action


@pytest.mark.parametrize(
    "name",
    ["security", "password_change", "app_add", "app_remove", "key_add", "recovery_codes_new",
     "confirm", "sign_out"],
)  # fmt: skip
def test_strangers_are_sent_to_sign_in(client: Client, db: None, name: str) -> None:
    for answer in (
        client.get(reverse(f"accounts:{name}")),
        client.post(reverse(f"accounts:{name}")),
    ):
        assert answer.status_code == HTTPStatus.FOUND
        assert answer["Location"].startswith(reverse("accounts:sign_in"))
