"""Refusals, login budget and breaker, with a moved clock."""

from __future__ import annotations

import pytest

from apps.bmc import BmcBreakerOpen, BmcLoginTooSoon, Credential, Secret
from apps.bmc.guard import Breaker, LoginBudget, MemoryRefusals, credential_key


def test_a_credential_without_a_key_is_named_by_a_salted_hash() -> None:
    one = credential_key(Credential("admin", Secret("secret")))
    assert one == credential_key(Credential("admin", Secret("secret")))
    assert one != credential_key(Credential("admin", Secret("other")))
    assert "secret" not in one
    assert credential_key(Credential("admin", Secret("secret"), key="p1-v2")) == "p1-v2"
    assert credential_key(Credential("\ud800", Secret("")))


def test_refusals_are_counted_per_bmc_and_secret() -> None:
    store = MemoryRefusals()
    store.record(("10.0.0.1", 623), "a")
    store.record(("10.0.0.1", 623), "a")
    assert store.count(("10.0.0.1", 623), "a") == 2
    assert store.count(("10.0.0.1", 623), "b") == 0
    assert store.count(("10.0.0.2", 623), "a") == 0
    store.forget(("10.0.0.1", 623))
    store.forget(("10.0.0.1", 623))
    assert store.count(("10.0.0.1", 623), "a") == 0


def test_one_login_per_interval() -> None:
    budget = LoginBudget(30.0)
    budget.check(100.0)
    budget.spend(100.0)
    with pytest.raises(BmcLoginTooSoon) as caught:
        budget.check(110.0)
    assert caught.value.params == {"retry_seconds": 20}
    budget.check(130.0)
    assert budget.is_free(130.0)


def test_one_login_after_a_loss_is_free_and_the_next_is_not() -> None:
    budget = LoginBudget(30.0)
    budget.spend(100.0)
    budget.session_lost()
    assert budget.allows_after_loss(101.0)
    budget.check(101.0)
    budget.spend(101.0)
    budget.session_lost()
    assert not budget.allows_after_loss(102.0)
    with pytest.raises(BmcLoginTooSoon):
        budget.check(102.0)
    budget.spend(131.0)
    budget.session_lost()
    budget.check(132.0)


def test_over_any_time_logins_stay_within_the_budget() -> None:
    budget, logins = LoginBudget(30.0), 0
    for second in range(3_000):
        budget.session_lost()
        try:
            budget.check(float(second))
        except BmcLoginTooSoon:
            continue
        budget.spend(float(second))
        logins += 1
    assert logins <= 2 * 100 + 1


def test_the_breaker_opens_doubles_and_closes() -> None:
    breaker = Breaker(3, 5.0, 60.0)
    for now in (0.0, 1.0):
        breaker.failed(now)
        breaker.check(now, interactive=False)
    now, waits = 2.0, []
    for _ in range(6):
        breaker.failed(now)
        with pytest.raises(BmcBreakerOpen) as caught:
            breaker.check(now, interactive=False)
        waits.append(int(caught.value.params["retry_seconds"]))
        now += 100.0
        breaker.check(now, interactive=False)
    assert all(
        wanted * 0.8 <= wait <= wanted * 1.2 + 1
        for wait, wanted in zip(waits, (5, 10, 20, 40, 60, 60), strict=True)
    )
    breaker.reset()
    assert not breaker.is_open
    breaker.check(now, interactive=False)


def test_a_person_may_probe_an_open_breaker_once_per_first_backoff() -> None:
    breaker = Breaker(1, 5.0, 60.0)
    for _ in range(5):
        breaker.failed(100.0)
    with pytest.raises(BmcBreakerOpen) as caught:
        breaker.check(104.0, interactive=True)
    assert caught.value.params == {"retry_seconds": 1}
    breaker.check(105.0, interactive=True)
    with pytest.raises(BmcBreakerOpen):
        breaker.check(105.0, interactive=False)
