"""How often something may be done: counted in the database, for people and for addresses."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.db.models import F
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from apps.accounts.models import User
from apps.audit.models import RateCount
from apps.audit.rates import Rate, by_address, by_person, rate_take, rates_forget
from apps.core.testing import api_client, make_server, make_user

pytestmark = pytest.mark.django_db(transaction=True)

THREE_A_MINUTE = Rate("thing", 3, 60)


def time_passes(seconds: float) -> None:
    RateCount.objects.update(free_at=F("free_at") - seconds)


def took(rate: Rate, whose: str, times: int) -> list[bool]:
    return [rate_take(rate, whose) == 0 for _ in range(times)]


def test_as_many_as_the_rate_says_come_through_and_then_one_after_another() -> None:
    assert took(THREE_A_MINUTE, "a", 4) == [True, True, True, False]
    assert 19 < rate_take(THREE_A_MINUTE, "a") <= 20
    time_passes(20)
    assert took(THREE_A_MINUTE, "a", 2) == [True, False]
    time_passes(3600)
    assert took(THREE_A_MINUTE, "a", 4) == [True, True, True, False]


def test_what_was_refused_makes_the_wait_no_longer() -> None:
    took(THREE_A_MINUTE, "a", 50)
    assert rate_take(THREE_A_MINUTE, "a") <= 20


def test_everybody_and_every_rate_has_its_own_count() -> None:
    assert took(THREE_A_MINUTE, "a", 4)[-1] is False
    assert took(THREE_A_MINUTE, "b", 1) == took(Rate("other", 3, 60), "a", 1) == [True]


def test_a_cache_that_forgets_everything_changes_nothing() -> None:
    took(THREE_A_MINUTE, "a", 3)
    cache.clear()
    assert took(THREE_A_MINUTE, "a", 1) == [False]


def test_counting_is_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        rate_take(THREE_A_MINUTE, "a")


@pytest.mark.timeout(120)
def test_of_fifty_at_the_same_moment_as_many_come_through_as_may() -> None:
    rate, start, through = Rate("thing", 20, 3600), threading.Barrier(50), list[bool]()

    def run() -> None:
        try:
            start.wait(30)
            through.append(rate_take(rate, "a") == 0)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(through), sum(through)) == (50, 20)


def test_rows_that_say_nothing_any_more_are_forgotten_and_others_kept() -> None:
    for name in "abc":
        rate_take(THREE_A_MINUTE, name)
    RateCount.objects.exclude(pk="thing c").update(free_at=time.time() - 4000)
    assert rates_forget(1) == 1
    assert rates_forget(10) == 1
    assert rates_forget(10) == 0
    assert list(RateCount.objects.values_list("pk", flat=True)) == ["thing c"]


def test_counting_addresses_tidies_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rate_take(THREE_A_MINUTE, "old")
    RateCount.objects.update(free_at=time.time() - 4000)
    monkeypatch.setattr("apps.audit.rates.secrets.randbelow", lambda most: 0)
    rate_take(THREE_A_MINUTE, "person 7")
    assert RateCount.objects.filter(pk="thing old").exists()
    rate_take(THREE_A_MINUTE, "address 192.0.2.7")
    assert not RateCount.objects.filter(pk="thing old").exists()


# ------------------------------------------------------------------ whose


@pytest.mark.parametrize(
    ("peer", "whose"),
    [
        ("192.0.2.7", "address 192.0.2.7"),
        ("::ffff:192.0.2.7", "address 192.0.2.7"),
        ("2001:db8::1", "address 2001:db8::/64"),
        ("2001:db8::ffff:ffff:ffff:ffff", "address 2001:db8::/64"),
        ("", "address unknown"),
        ("'; DROP TABLE", "address unknown"),
    ],
)
def test_an_address_is_the_peer_and_of_ipv6_the_network_one_person_has(
    peer: str, whose: str
) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-For": "10.9.9.9"})
    assert by_address(request) == by_person(request) == whose


def test_who_is_signed_in_counts_as_a_person_wherever_they_are(admin: User) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
    request.user = admin
    assert by_person(request) == f"person {admin.pk}"


# ------------------------------------------------------------------ doors


def sign_in(client: Client, **more: Any) -> Any:
    tried = {"username": "anna", "password": "wrong one, wrong one"}
    return client.post("/account/sign-in", tried, **more)


def test_sign_in_is_limited_by_address_and_forged_headers_are_of_no_use(
    client: Client, settings: Settings
) -> None:
    settings.RATES = {**settings.RATES, "sign_in": (3, 300)}
    for number in range(3):
        headers = {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": f"10.0.0.{number}"}
        assert sign_in(client, headers=headers).status_code == 422
    answer = sign_in(client, headers={"X-Forwarded-For": "10.0.0.9", "Forwarded": "for=10.0.0.9"})
    assert (answer.status_code, answer["Retry-After"]) == (429, "100")
    assert "no-store" in answer["Cache-Control"]
    page = answer.content.decode()
    assert "Nothing was done. It is open again in 100 s." in page
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert client.get("/account/sign-in").status_code == 200
    assert sign_in(client, REMOTE_ADDR="192.0.2.9").status_code == 422


def test_search_is_limited_by_person_and_the_plain_list_is_not(
    client: Client, settings: Settings, operator: User
) -> None:
    settings.RATES = {**settings.RATES, "search": (2, 60)}
    client.force_login(operator)
    found = [client.get("/servers/?q=web").status_code for _ in range(3)]
    assert found == [200, 200, 429]
    assert client.get("/servers/").status_code == 200
    client.force_login(make_user("ben"))
    assert client.get("/servers/?q=web").status_code == 200


def test_htmx_gets_a_toast_and_what_stands_there_stays(
    client: Client, settings: Settings, operator: User
) -> None:
    settings.RATES = {**settings.RATES, "search": (1, 300)}
    client.force_login(operator)
    client.get("/servers/?q=web")
    answer = client.get("/servers/?q=web", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Reswap"]) == (429, "none")
    text = answer.content.decode()
    assert 'hx-swap-oob="beforeend"' in text
    assert "Too many requests within a short time. Nothing was done." in text
    assert "It is open again in 5 min." in text
    assert "<html" not in text


def test_the_api_answers_with_a_problem_that_says_how_long_to_wait(
    settings: Settings, operator: User
) -> None:
    settings.RATES = {**settings.RATES, "search": (1, 60)}
    client = api_client(operator)
    assert client.get("/api/servers/?q=web").status_code == 200
    answer = client.get("/api/servers/?q=web")
    told = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert (told["code"], answer["Retry-After"]) == ("too_many_requests", "60")
    assert told["detail"] == "Nothing was done. It is open again in 60 s."
    assert client.get("/api/servers/").status_code == 200


def test_connection_tests_are_limited_and_looking_at_them_is_not(
    client: Client, settings: Settings, operator: User, web: Any
) -> None:
    settings.RATES = {**settings.RATES, "connection_test": (1, 60)}
    server = make_server(cluster=web)
    client.force_login(operator)
    for path in (f"/servers/{server.pk}/test/typed", f"/servers/{server.pk}/test"):
        RateCount.objects.all().delete()
        first, second = client.post(path, {}), client.post(path, {})
        assert (first.status_code != 429, second.status_code) == (True, 429), path
    assert client.get(f"/servers/{server.pk}/test").status_code == 302


def test_a_count_outlives_what_its_request_rolls_back(operator: User, client: Client) -> None:
    """Counting is no part of the transaction of the work: a failure costs a try as well."""
    assert not connection.in_atomic_block
    client.force_login(operator)
    client.raise_request_exception = False
    client.get("/servers/?q=" + "%00")
    assert RateCount.objects.filter(pk=f"search person {operator.pk}").exists()
