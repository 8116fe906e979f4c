"""The pool: one session per BMC, queues, places, limits, guards, keep-alive, logout."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic

import pytest

from apps.bmc import (
    BmcError,
    BmcOverloaded,
    BmcUnreachable,
    PowerState,
)
from apps.bmc.client import PoolConfig, SessionPool
from apps.bmc.tests.conftest import PeerFactory, PoolFactory
from apps.bmc.tests.peer import ADMIN, CLOSE, DEVICE_ID, QUICK, STATUS, Peer


async def read(pool: SessionPool, peer: Peer, **how: object) -> PowerState:
    credential = how.pop("credential", ADMIN)
    async with pool.session(peer.endpoint, credential, **how) as bmc:  # type: ignore[arg-type]
        return await bmc.power_state()


async def test_users_of_one_bmc_share_one_session_one_after_another(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.delays[STATUS] = 0.005
    states = await asyncio.gather(*(read(pool, peer) for _ in range(20)))
    assert states == [PowerState.ON] * 20
    assert peer.counts["open"] == 1
    assert repr(pool) == "<SessionPool [0 active, 1 idle, 0 waiting]>"


async def test_the_queue_of_a_bmc_is_fair_and_lets_interactive_users_go_first(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    order: list[str] = []

    async def use(name: str, interactive: bool = False) -> None:
        async with pool.session(peer.endpoint, ADMIN, interactive):
            order.append(name)

    async with pool.session(peer.endpoint, ADMIN):
        tasks = []
        for name, interactive in (("a", False), ("b", False), ("person", True), ("c", False)):
            tasks.append(asyncio.create_task(use(name, interactive)))
            await asyncio.sleep(0)
        assert repr(pool) == "<SessionPool [1 active, 0 idle, 4 waiting]>"
    await asyncio.gather(*tasks)
    assert order == ["person", "a", "b", "c"]


async def test_the_repr_counts_active_idle_and_waiting(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool()
    peers = [await make_peer() for _ in range(3)]
    assert repr(pool) == "<SessionPool [0 active, 0 idle, 0 waiting]>"
    for peer in peers:
        await read(pool, peer)
    async with pool.session(peers[0].endpoint, ADMIN):
        assert repr(pool) == "<SessionPool [1 active, 2 idle, 0 waiting]>"
    assert pool.counters.sessions_open == 3


async def test_conversations_are_limited_and_idle_sessions_do_not_count(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(pool_size=2)
    peers = [await make_peer() for _ in range(6)]
    under_way = [0, 0]

    def watch(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        under_way[0] += 1
        under_way[1] = max(under_way)
        asyncio.get_running_loop().call_later(0.02, answer, peer, proper)
        return []

    def answer(peer: Peer, proper: bytes) -> None:
        under_way[0] -= 1
        peer.send(proper)

    for peer in peers:
        peer.replies[STATUS] = watch
    await asyncio.gather(*(read(pool, peer) for peer in peers))
    assert under_way[1] == 2
    assert pool.counters.sessions_open == 6


async def test_silent_bmcs_give_their_places_to_the_healthy(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(pool_size=2)
    silent = [await make_peer() for _ in range(4)]
    healthy = [await make_peer() for _ in range(8)]
    for peer in silent:
        peer.lose_request = lambda kind, count: True
    lost = [asyncio.create_task(read(pool, peer)) for peer in silent]
    await asyncio.sleep(0)
    await asyncio.gather(*(read(pool, peer) for peer in healthy))
    assert not all(task.done() for task in lost), "the healthy were done before the silent"
    errors = await asyncio.gather(*lost, return_exceptions=True)
    assert {type(error) for error in errors} == {BmcUnreachable}
    await read(pool, healthy[0])
    await asyncio.sleep(0)
    assert "0 of 2" in repr(pool._places)


async def test_a_peer_that_answers_after_its_silence_gets_its_place_back(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, slow = make_pool(pool_size=1, suspicion_seconds=0.4), await make_peer()
    peers = [await make_peer() for _ in range(3)]
    await read(pool, slow)
    slow.delays[STATUS] = 0.2
    reading = asyncio.create_task(read(pool, slow))
    await slow.until(lambda: slow.counts[STATUS] == 2)
    await asyncio.gather(*(read(pool, peer) for peer in peers))
    assert not reading.done()
    assert await reading is PowerState.ON
    await asyncio.sleep(0)
    assert "0 of 1" in repr(pool._places)


async def test_bmcs_that_failed_last_time_wait_behind_the_others(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(pool_size=1)
    bad, good, busy = await make_peer(), await make_peer(), await make_peer()
    bad.lose_request = lambda kind, count: True
    with pytest.raises(BmcUnreachable):
        await read(pool, bad)
    busy.delays["open"] = 0.03
    tasks = [asyncio.create_task(read(pool, peer)) for peer in (busy, bad, good)]
    await tasks[2]
    assert not tasks[1].done()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_full_queue_is_refused_and_so_is_a_long_wait(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(max_waiting=1, wait_seconds=0.05), await make_peer()
    async with pool.session(peer.endpoint, ADMIN):
        first = asyncio.create_task(read(pool, peer))
        await asyncio.sleep(0)
        with pytest.raises(BmcOverloaded) as caught:
            await read(pool, peer)
        assert caught.value.params == {"reason": "queue_full"}
        with pytest.raises(BmcOverloaded) as caught:
            await first
        assert caught.value.params == {"reason": "waited_too_long"}
    assert await read(pool, peer) is PowerState.ON


async def test_a_user_cancelled_in_the_queue_does_not_block_the_next(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN):
        tasks = [asyncio.create_task(read(pool, peer)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
    tasks[1].cancel()  # the BMC was handed to it already
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(r) for r in results] == [
        asyncio.CancelledError,
        asyncio.CancelledError,
        PowerState,
    ]
    assert repr(pool) == "<SessionPool [0 active, 1 idle, 0 waiting]>"


async def test_the_longest_unused_session_is_logged_out_for_a_new_one(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(max_sessions=2)
    peers = [await make_peer() for _ in range(3)]
    await read(pool, peers[0])
    await read(pool, peers[1])
    await read(pool, peers[0])
    await read(pool, peers[2])
    await peers[1].until(lambda: peers[1].counts[CLOSE] == 1)
    assert [peer.counts[CLOSE] for peer in peers] == [0, 1, 0]
    assert pool.counters.sessions_evicted == 1


async def test_sessions_in_use_are_never_logged_out_for_others(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, used, other = make_pool(max_sessions=1), await make_peer(), await make_peer()
    async with pool.session(used.endpoint, ADMIN):
        with pytest.raises(BmcOverloaded) as caught:
            await read(pool, other)
    assert caught.value.params == {"reason": "sessions"}
    assert await read(pool, other) is PowerState.ON


async def test_idle_sessions_are_kept_alive(make_pool: PoolFactory, make_peer: PeerFactory) -> None:
    pool = make_pool(timing=replace(QUICK, keepalive_seconds=0.05))
    peer = await make_peer()
    await read(pool, peer)
    await peer.until(lambda: peer.counts[DEVICE_ID] >= 3)
    await read(pool, peer)
    assert peer.counts["open"] == 1
    assert pool.counters.keepalives >= 3


async def test_a_session_that_is_not_kept_alive_is_noticed_and_replaced(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(timing=replace(QUICK, keepalive_seconds=0.05), login_interval_seconds=30.0)
    peer = await make_peer()
    await read(pool, peer)
    peer.restart()
    async with asyncio.timeout(5):
        while pool.counters.sessions_open:
            await asyncio.sleep(0.02)
    assert repr(pool) == "<SessionPool [0 active, 0 idle, 0 waiting]>"
    assert await read(pool, peer) is PowerState.ON


async def test_closing_is_bounded_in_time_and_final(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(logout_seconds=0.3, timing=replace(QUICK, close_seconds=5.0))
    peers = [await make_peer() for _ in range(5)]
    await asyncio.gather(*(read(pool, peer) for peer in peers))
    for peer in peers[:2]:
        peer.lose_request = lambda kind, count: True
    started = monotonic()
    await pool.aclose()
    assert monotonic() - started < 3 * 0.3
    assert [peer.counts[CLOSE] > 0 for peer in peers] == [True] * 5
    assert pool.counters.sessions_open == 0
    with pytest.raises(BmcOverloaded) as caught:
        await read(pool, peers[4])
    assert caught.value.params == {"reason": "closing"}
    await pool.aclose()


async def test_closing_sends_the_waiting_home_and_ends_logins(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.lose_request = lambda kind, count: True
    first = asyncio.create_task(read(pool, peer))
    second = asyncio.create_task(read(pool, peer))
    await peer.until(lambda: peer.counts["open"] == 1)
    await pool.aclose()
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert [isinstance(r, BmcError) and r.code for r in results] == ["session_lost", "overloaded"]


async def test_an_unused_pool_closes_at_once() -> None:
    pool = SessionPool()
    assert pool.config == PoolConfig()
    assert "10.0.0.0/8" in repr(pool.policy)
    await pool.aclose()


async def test_many_sessions_close_within_the_window(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(window=8)
    peers = [await make_peer() for _ in range(30)]
    await asyncio.gather(*(read(pool, peer) for peer in peers))
    await pool.aclose()
    assert [peer.counts[CLOSE] for peer in peers] == [1] * 30


async def test_forgettable_bmcs_are_forgotten(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(max_slots=3)
    peers = [await make_peer() for _ in range(3)]
    for peer in peers:
        await read(pool, peer)
    assert len(pool._slots) == 3, "open sessions are never forgotten"
    await pool.logout(peers[0].endpoint)
    await read(pool, await make_peer())
    assert peers[0].endpoint.key not in pool._slots
    await pool.logout(peers[0].endpoint)


async def test_a_session_that_is_closing_already_makes_room_enough(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(max_sessions=1)
    old, one, two = await make_peer(), await make_peer(), await make_peer()
    await read(pool, old)
    old.delays[CLOSE] = 0.05
    states = await asyncio.gather(read(pool, one), read(pool, two))
    assert set(states) == {PowerState.ON}
    assert old.counts[CLOSE] == 1


async def test_two_may_log_out_the_same_bmc(make_pool: PoolFactory, make_peer: PeerFactory) -> None:
    pool, peer = make_pool(), await make_peer()
    await read(pool, peer)
    await asyncio.gather(pool.logout(peer.endpoint), pool.logout(peer.endpoint))
    await pool.logout(peer.endpoint)
    assert peer.sessions_open == 0


async def test_open_bmcs_are_remembered_beyond_the_limit(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool = make_pool(max_slots=1)
    peers = [await make_peer() for _ in range(2)]
    for _ in range(2):
        for peer in peers:
            await read(pool, peer)
    assert [peer.counts["open"] for peer in peers] == [1, 1]
