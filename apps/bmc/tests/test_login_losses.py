"""Logins over a bad network: lost, late, doubled and foreign packets."""

from __future__ import annotations

import asyncio

import pytest

from apps.bmc import (
    BmcError,
    BmcSlotsFull,
    BmcUnreachable,
    Credential,
    Endpoint,
    PowerState,
)
from apps.bmc.pool import SessionPool
from apps.bmc.rmcp import wire
from apps.bmc.tests.conftest import PeerFactory, PoolFactory
from apps.bmc.tests.peer import ADMIN, PRIVILEGE, Peer


async def status(
    pool: SessionPool, endpoint: Endpoint, credential: Credential = ADMIN
) -> PowerState:
    async with pool.session(endpoint, credential) as bmc:
        return await bmc.power_state()


async def fails(pool: SessionPool, peer: Peer, credential: Credential = ADMIN) -> BmcError:
    with pytest.raises(BmcError) as caught:
        await status(pool, peer.endpoint, credential)
    return caught.value


async def test_a_dead_bmc_is_unreachable_within_the_login_deadline(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.lose_request = lambda kind, count: True
    started = asyncio.get_running_loop().time()
    error = await fails(pool, peer)
    assert isinstance(error, BmcUnreachable)
    assert error.params == {"stage": "opening"}
    assert asyncio.get_running_loop().time() - started < 3 * 0.8
    assert 2 <= peer.counts["open"] <= 9, "asked again, each time later"
    assert pool.counters.unreachable == 1


@pytest.mark.parametrize("kind", ["open", "rakp1", "rakp3"])
@pytest.mark.parametrize("way", ["lose_request", "lose_reply"])
async def test_a_lost_handshake_packet_starts_again_from_open_session(
    make_pool: PoolFactory, make_peer: PeerFactory, kind: str, way: str
) -> None:
    pool, peer = make_pool(login_interval_seconds=30.0), await make_peer()
    setattr(peer, way, lambda k, count: k == kind and count == 1)
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert peer.counts["open"] == 2
    assert pool.counters.handshake_restarts == 1
    assert pool.counters.logins == 1


@pytest.mark.parametrize("way", ["lose_request", "lose_reply"])
async def test_a_lost_privilege_command_is_sent_again(
    make_pool: PoolFactory, make_peer: PeerFactory, way: str
) -> None:
    pool, peer = make_pool(), await make_peer()
    setattr(peer, way, lambda kind, count: kind == PRIVILEGE and count == 1)
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert peer.counts["open"] == 1
    assert peer.counts[PRIVILEGE] == 2


async def test_silence_after_rakp4_is_unreachable_and_logs_out(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.lose_reply = lambda kind, count: kind == PRIVILEGE
    error = await fails(pool, peer)
    assert isinstance(error, BmcUnreachable)
    assert error.params == {"stage": "raising_privilege"}
    await peer.until(lambda: peer.sessions_open == 0)


async def test_a_bmc_that_forgot_the_half_open_session_is_asked_again(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def forget_once(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        if peer.counts["rakp1"] == 1:
            peer.restart()
        return [proper]

    pool, peer = make_pool(), await make_peer()
    peer.replies["rakp1"] = forget_once
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert pool.counters.dropped["half_open_lost"] == 1


async def test_full_slots_are_waited_out_when_our_own_lost_attempts_may_hold_them(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def full_once(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        if peer.counts["open"] != 2:
            return [proper]
        answer = wire.parse_open_response(wire.parse_envelope(proper).payload)
        return [wire.build_open_response(answer._replace(status=0x01))]

    pool, peer = make_pool(), await make_peer()
    peer.replies["open"] = full_once
    peer.lose_request = lambda kind, count: kind == "rakp1" and count == 1
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert peer.counts["open"] == 3


async def test_slots_that_stay_full_are_reported_at_the_deadline(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def full(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        answer = wire.parse_open_response(wire.parse_envelope(proper).payload)
        return [wire.build_open_response(answer._replace(status=0x01))]

    pool, peer = make_pool(), await make_peer()
    peer.replies["open"] = full
    peer.lose_reply = lambda kind, count: kind == "open" and count == 1
    assert isinstance(await fails(pool, peer), BmcSlotsFull)


async def test_a_slow_bmc_is_given_more_time_after_its_first_late_answer(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.delays = {"open": 0.15, "rakp1": 0.15, "rakp3": 0.15}
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert pool.counters.dropped["late"] >= 1


async def test_duplicates_and_strangers_in_a_handshake_are_dropped(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def twice_with_noise(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        other_tag = bytearray(proper)
        other_tag[16] ^= 0xFF
        return [b"", b"\x06", bytes(other_tag), bytes(2000), proper, proper]

    pool, peer = make_pool(), await make_peer()
    for kind in ("open", "rakp1", "rakp3"):
        peer.replies[kind] = twice_with_noise
    assert await status(pool, peer.endpoint) is PowerState.ON
    dropped = pool.counters.dropped
    assert dropped["envelope"] >= 3
    assert dropped["handshake"] >= 3
    assert dropped["length"] >= 1
    assert peer.counts["open"] == 1


async def test_a_cancelled_login_leaves_nothing_behind(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.lose_reply = lambda kind, count: kind == PRIVILEGE
    task = asyncio.create_task(status(pool, peer.endpoint))
    await peer.until(lambda: peer.counts[PRIVILEGE] == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await peer.until(lambda: peer.sessions_open == 0)
    assert repr(pool) == "<SessionPool [0 active, 0 idle, 0 waiting]>"
    peer.lose_reply = lambda kind, count: False
    assert await status(pool, peer.endpoint) is PowerState.ON


async def test_a_session_whose_rakp4_was_lost_is_logged_out_of(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    """The BMC opened it with RAKP 3; without a word its slot would stay taken for a minute."""
    pool, peer = make_pool(), await make_peer()
    peer.lose_reply = lambda kind, count: kind == "rakp3" and count <= 2
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert peer.counts["rakp3"] == 3
    assert peer.sessions_open == 1


async def test_a_login_that_ends_at_rakp4_leaves_no_session(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.lose_reply = lambda kind, count: kind == "rakp3"
    assert isinstance(await fails(pool, peer), BmcUnreachable)
    await peer.until(lambda: peer.sessions_open == 0)
    task = asyncio.create_task(status(pool, peer.endpoint))
    tried = peer.counts["rakp3"]
    await peer.until(lambda: peer.counts["rakp3"] > tried)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await peer.until(lambda: peer.sessions_open == 0)
