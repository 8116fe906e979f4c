"""What every door checks: passwords, codes, policy, and how often somebody may try."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from apps.accounts.devices import PREFIX, device_remember
from apps.accounts.doors import (
    CodeNeeded,
    CodeWrong,
    FactorMissing,
    LockedOut,
    PasswordChangeNeeded,
    Refused,
    WrongCredentials,
    code_check,
    credentials_check,
)
from apps.accounts.models import User
from apps.accounts.tests.hashers import CountingHasher
from apps.accounts.tests.second_factor import (
    app_add,
    app_code,
    policy_asks,
    recovery_codes_add,
    wrong_code,
)
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.core.testing import PASSWORD, make_user

pytestmark = pytest.mark.django_db
LIMIT = settings.AXES_FAILURE_LIMIT
PAUSE = dt.timedelta(minutes=15)


@pytest.fixture
def anna() -> User:
    return make_user("anna", Role.ADMIN)


@pytest.fixture
def hashes(settings: Any) -> type[CountingHasher]:
    settings.PASSWORD_HASHERS = ["apps.accounts.tests.hashers.CountingHasher"]
    CountingHasher.made = 0
    return CountingHasher


def a_request(**headers: str) -> HttpRequest:
    request = RequestFactory().post("/", headers=headers)
    request.session = SessionStore()
    return request


def known_request(user: User) -> HttpRequest:
    """A request of a browser in which this person signed in before."""
    answer = HttpResponse()
    device_remember(answer, user.pk, user.password)
    request = a_request()
    request.COOKIES = {name: one.value for name, one in answer.cookies.items()}
    return request


def check(name: str = "anna", password: str = PASSWORD, code: str = "", **more: Any) -> User:
    request = more.pop("request", None) or a_request()
    return credentials_check(request=request, username=name, password=password, code=code)


def guess(times: int, name: str = "anna", **more: Any) -> list[str]:
    found = []
    for _ in range(times):
        with pytest.raises(Refused) as refused:
            check(name, "wrong", **more)
        found.append(refused.value.code)
    return found


def test_the_right_password_names_its_person(anna: User) -> None:
    assert check() == anna


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("anna", "wrong"), ("anna", ""), ("nobody", PASSWORD), ("left", PASSWORD), ("", ""),
        ("anna\x00", PASSWORD), ("a" * 100_000, PASSWORD), ("ANNA", PASSWORD), ("anna ", PASSWORD),
    ],
)  # fmt: skip
def test_everything_else_is_refused_in_one_way(anna: User, name: str, password: str) -> None:
    make_user("left", is_active=False)

    with pytest.raises(WrongCredentials):
        check(name, password)


@pytest.mark.timeout(300)
def test_ten_thousand_guesses_with_forged_addresses_cost_ten_hashes(
    anna: User, hashes: type[CountingHasher]
) -> None:
    codes: set[str] = set()
    for number in range(10_000):
        forged = f"10.{number % 250}.{number // 250}.7"
        request = a_request(**{"X-Forwarded-For": forged, "X-Real-IP": forged, "Forwarded": forged})
        request.META["REMOTE_ADDR"] = forged
        with pytest.raises(Refused) as refused:
            check(password=f"guess {number}", request=request)
        codes.add(refused.value.code)
        if number == LIMIT - 1:
            assert refused.value.code == "locked_out"

    assert hashes.made == LIMIT
    assert codes == {"wrong_credentials", "locked_out"}
    assert AccessAttempt.objects.count() == 1
    [entry] = AuditEntry.objects.filter(action="accounts.sign_in.failed")
    assert entry.object_id == str(anna.pk)


def test_during_the_pause_the_right_password_is_not_looked_at(
    anna: User, hashes: type[CountingHasher]
) -> None:
    guess(LIMIT)
    before = hashes.made

    with pytest.raises(LockedOut) as refused:
        check()

    assert hashes.made == before
    assert 0 < refused.value.seconds <= PAUSE.total_seconds()


def test_after_the_pause_it_opens_again_and_tries_during_it_do_not_lengthen_it(anna: User) -> None:
    start = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=False):
        guess(LIMIT)
    with time_machine.travel(start + PAUSE - dt.timedelta(seconds=1), tick=False):
        with pytest.raises(LockedOut) as refused:
            check()
        assert refused.value.seconds == 1
    with time_machine.travel(start + PAUSE, tick=False):
        assert check() == anna


def test_a_name_of_nobody_is_paused_as_others_are_and_is_not_stored(
    anna: User, hashes: type[CountingHasher]
) -> None:
    assert guess(LIMIT, "my secret typed into the wrong field") == guess(LIMIT)
    assert guess(1, "my secret typed into the wrong field") == ["locked_out"]
    assert hashes.made == 2 * LIMIT
    assert not AccessAttempt.objects.filter(username__contains="secret").exists()
    assert not AuditEntry.objects.exclude(object_id=str(anna.pk)).exists()


def test_rows_of_pauses_that_are_over_do_not_stay(anna: User) -> None:
    start = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=False):
        for number in range(5):
            guess(1, f"nobody-{number}")
    with time_machine.travel(start + PAUSE, tick=False):
        guess(1)

    assert AccessAttempt.objects.count() == 1


def test_the_right_password_does_not_use_up_tries(anna: User) -> None:
    for _ in range(3 * LIMIT):
        assert check() == anna
    guess(LIMIT - 1)
    assert check() == anna
    assert guess(1) == ["locked_out"]


def test_strangers_do_not_lock_out_the_device_that_signed_in_before(anna: User) -> None:
    guess(LIMIT)

    assert check(request=known_request(anna)) == anna
    with pytest.raises(LockedOut):  # …which opens nothing for the strangers
        check()


def test_a_known_device_has_ten_tries_of_its_own(anna: User, hashes: type[CountingHasher]) -> None:
    device = known_request(anna)

    assert guess(LIMIT + 5, request=device)[-6:] == ["locked_out"] * 6
    assert hashes.made == LIMIT
    assert check() == anna


def test_the_cookie_of_a_device_holds_for_one_account_and_one_password(anna: User) -> None:
    ben = make_user("ben")
    of_ben = known_request(ben)
    [value] = of_ben.COOKIES.values()
    forged = [
        {f"{PREFIX}{anna.pk}": value},
        {f"{PREFIX}{anna.pk}": "nonsense"},
        {f"{PREFIX}{anna.pk}": f"{value}x"},
    ]
    of_anna = known_request(anna)
    guess(LIMIT)

    for cookies in forged:
        of_ben.COOKIES = cookies
        with pytest.raises(LockedOut):
            check(request=of_ben)
    anna.set_password("another long passphrase")
    anna.save()
    with pytest.raises(LockedOut):
        check(password="another long passphrase", request=of_anna)


def test_the_cookie_of_a_device_is_for_the_way_in_only(anna: User) -> None:
    answer = HttpResponse()
    device_remember(answer, anna.pk, anna.password)

    [cookie] = answer.cookies.values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/account/")
    assert cookie["max-age"] == 180 * 24 * 3600
    assert anna.password not in cookie.value


# -------------------------------------------------------------------- the second factor


def test_who_has_a_second_factor_is_asked_for_it(anna: User) -> None:
    app_add(anna)

    with pytest.raises(CodeNeeded):
        check()
    assert check(code=app_code()) == anna


def test_a_code_of_the_app_counts_once_and_an_older_one_not_after_it(anna: User) -> None:
    app_add(anna)
    with time_machine.travel(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC), tick=False):
        older, now = app_code(steps=-1), app_code()
        check(code=now)
        for code in (now, older):
            with pytest.raises(CodeWrong):
                check(code=code)
        assert check(code=app_code(steps=1)) == anna


def test_a_code_of_minutes_ago_is_wrong(anna: User) -> None:
    app_add(anna)

    with pytest.raises(CodeWrong):
        check(code=app_code(steps=-4))


def test_a_recovery_code_counts_once(anna: User) -> None:
    app_add(anna)
    first, second, *_ = recovery_codes_add(anna)

    assert check(code=first) == anna
    with pytest.raises(CodeWrong):
        check(code=first)
    assert check(code=f" {second[:4]} {second[4:]} ") == anna


def test_the_code_alone_opens_nothing(anna: User) -> None:
    app_add(anna)

    with pytest.raises(WrongCredentials):
        check(password="wrong", code=app_code())


def test_codes_are_counted_with_passwords_and_the_right_password_gives_no_new_tries(
    anna: User, hashes: type[CountingHasher]
) -> None:
    app_add(anna)
    guess(4)
    for _ in range(LIMIT - 5):
        with pytest.raises(CodeWrong):
            check(code=wrong_code())
    with pytest.raises(LockedOut):
        check(code=wrong_code())
    made = hashes.made

    with pytest.raises(LockedOut):
        check(code=app_code())
    with pytest.raises(LockedOut):
        code_check(request=a_request(), user=anna, code=app_code())
    assert hashes.made == made


@pytest.mark.parametrize("code", ["", " ", "½½½½½½", "0" * 100_000, "\x00", "-1", "１２３４５６"])
def test_strange_codes_are_wrong(anna: User, code: str) -> None:
    app_add(anna)
    recovery_codes_add(anna)

    with pytest.raises((CodeWrong, CodeNeeded)):
        check(code=code)


@pytest.mark.parametrize(
    ("asked_from", "is_asked"), [("operator", True), ("admin", True), ("", False)]
)
def test_the_policy_says_who_needs_a_second_factor(
    anna: User, asked_from: str, is_asked: bool
) -> None:
    policy_asks(asked_from)
    make_user("reader", Role.READONLY)

    assert check("reader").username == "reader"
    if is_asked:
        with pytest.raises(FactorMissing):
            check()
    else:
        assert check() == anna


def test_who_must_change_the_password_does_not_come_in_without_pages(anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(must_change_password=True)

    with pytest.raises(PasswordChangeNeeded):
        check()


def test_seeds_are_not_readable_in_the_database(anna: User) -> None:
    factor = app_add(anna)
    recovery_codes_add(anna)
    stored = [str(data) for data in Authenticator.objects.values_list("data", flat=True)]

    assert factor.data["secret"].startswith("v1.")
    assert not any("JBSWY3DP" in text for text in stored)
    assert all("v1." in text for text in stored)


@pytest.mark.django_db(transaction=True)
def test_guesses_side_by_side_are_not_more_than_the_limit(
    hashes: type[CountingHasher],
) -> None:
    make_user("anna")
    hashes.made = 0
    errors: list[BaseException] = []

    def tries() -> None:
        try:
            guess(5)
        except BaseException as error:  # noqa: BLE001  told by the test below
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=tries) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert not errors
    assert hashes.made == LIMIT
