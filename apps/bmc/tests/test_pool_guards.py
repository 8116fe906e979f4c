"""What the pool keeps away from BMCs: too many logins, refused secrets, forbidden addresses."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from apps.bmc import (
    BmcAuthBlocked,
    BmcAuthError,
    BmcBreakerOpen,
    BmcForbiddenAddress,
    BmcLoginTooSoon,
    BmcUnreachable,
    Credential,
    Endpoint,
    PowerState,
    Privilege,
    Secret,
)
from apps.bmc.client import DestinationPolicy, MemoryRefusals, SessionPool
from apps.bmc.tests.conftest import PeerFactory, PoolFactory
from apps.bmc.tests.peer import ADMIN, CLOSE, Peer

OTHER = Credential("admin", Secret("secret123"), Privilege.OPERATOR)
WRONG = Credential("admin", Secret("wrong"), key="profile-1-v1")


async def read(pool: SessionPool, peer: Peer, **how: object) -> PowerState:
    credential = how.pop("credential", ADMIN)
    async with pool.session(peer.endpoint, credential, **how) as bmc:  # type: ignore[arg-type]
        return await bmc.power_state()


async def test_another_credential_closes_the_session_and_logs_in_anew(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(login_interval_seconds=30.0), await make_peer()
    await read(pool, peer)
    await read(pool, peer, credential=OTHER)
    assert (peer.counts["open"], peer.counts[CLOSE]) == (2, 1)
    assert peer.sessions_open == 1


async def test_logins_are_limited_in_time(make_pool: PoolFactory, make_peer: PeerFactory) -> None:
    pool, peer = make_pool(login_interval_seconds=30.0), await make_peer()
    await read(pool, peer)
    await pool.logout(peer.endpoint)
    before = peer.received
    with pytest.raises(BmcLoginTooSoon) as caught:
        await read(pool, peer)
    assert 0 < int(caught.value.params["retry_seconds"]) <= 30
    assert peer.received == before


async def test_the_breaker_opens_after_failures_and_lets_one_person_probe(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(breaker_failures=3, breaker_first_seconds=0.3, breaker_max_seconds=60.0)
    peer = await make_peer()
    peer.lose_request = lambda kind, count: True
    for _ in range(3):
        with pytest.raises(BmcUnreachable):
            await read(pool, peer)
    before = peer.received
    for interactive in (False, True):
        with pytest.raises(BmcBreakerOpen) as caught:
            await read(pool, peer, interactive=interactive)
        assert int(caught.value.params["retry_seconds"]) == 1
    assert peer.received == before
    await asyncio.sleep(0.45)
    with pytest.raises(BmcUnreachable):
        await read(pool, peer)
    await asyncio.sleep(0.31)
    with pytest.raises(BmcBreakerOpen):
        await read(pool, peer)
    peer.lose_request = lambda kind, count: False
    assert await read(pool, peer, interactive=True) is PowerState.ON
    assert await read(pool, peer) is PowerState.ON


async def test_forgiving_opens_the_guard_and_the_breaker(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(breaker_failures=1), await make_peer()
    for _ in range(2):
        with pytest.raises(BmcAuthError):
            await read(pool, peer, credential=WRONG)
    with pytest.raises(BmcAuthBlocked):
        await read(pool, peer, credential=WRONG)
    pool.forgive(peer.endpoint)
    with pytest.raises(BmcAuthError) as caught:
        await read(pool, peer, credential=WRONG)
    assert type(caught.value) is BmcAuthError
    peer.lose_request = lambda kind, count: True
    with pytest.raises(BmcUnreachable):
        await read(pool, peer)
    pool.forgive(peer.endpoint)
    peer.lose_request = lambda kind, count: False
    assert await read(pool, peer) is PowerState.ON
    pool.forgive(Endpoint("127.0.0.250"))
    pool.forgive(Endpoint("not:an:address"))


async def test_a_new_secret_may_try_after_the_old_one_was_blocked(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    for _ in range(2):
        with pytest.raises(BmcAuthError):
            await read(pool, peer, credential=WRONG)
    right = replace(ADMIN, key="profile-1-v2")
    assert await read(pool, peer, credential=right) is PowerState.ON


async def test_queued_users_of_a_wrong_secret_do_not_pass_the_guard(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    tasks = [read(pool, peer, credential=WRONG) for _ in range(20)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(r) for r in results].count(BmcAuthBlocked) == 18
    assert peer.counts["rakp1"] == 2


async def test_the_refusals_of_another_worker_count(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    peer = await make_peer()
    shared = MemoryRefusals()
    one, two = make_pool(shared), make_pool(shared)
    for pool in (one, two):
        with pytest.raises(BmcAuthError):
            await read(pool, peer, credential=WRONG)
    with pytest.raises(BmcAuthBlocked):
        await read(one, peer, credential=WRONG)


async def test_a_success_forgets_an_earlier_refusal(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer(password="not yet")
    with pytest.raises(BmcAuthError):
        await read(pool, peer)
    peer.password = peer.kg = b"secret123"
    await read(pool, peer)
    await pool.logout(peer.endpoint)
    peer.password = peer.kg = b"not any more"
    for _ in range(2):
        with pytest.raises(BmcAuthError) as caught:
            await read(pool, peer)
        assert type(caught.value) is BmcAuthError


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0177.1"])
async def test_a_forbidden_address_gets_no_packet(make_pool: PoolFactory, address: str) -> None:
    pool = make_pool()
    with pytest.raises(BmcForbiddenAddress):
        async with pool.session(Endpoint(address), ADMIN):
            pass
    assert pool.counters.datagrams_sent == 0


@pytest.mark.parametrize("port", [0, -1, 65_536])
async def test_an_impossible_port_is_refused(make_pool: PoolFactory, port: int) -> None:
    with pytest.raises(BmcForbiddenAddress) as caught:
        async with make_pool().session(Endpoint("127.0.0.1", port), ADMIN):
            pass
    assert caught.value.params == {"reason": "port"}


async def test_no_address_is_allowed_by_an_empty_policy() -> None:
    pool = SessionPool(policy=DestinationPolicy([]))
    with pytest.raises(BmcForbiddenAddress):
        async with pool.session(Endpoint("10.0.0.1"), ADMIN):
            pass
    await pool.aclose()
