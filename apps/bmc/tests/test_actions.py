"""Chassis control: one datagram, in time, in an open session, or nothing."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from apps.bmc import (
    BmcError,
    BmcNoReply,
    BmcNotSent,
    BmcRefused,
    BmcUnreachable,
    PowerAction,
    PowerState,
)
from apps.bmc.rmcp.transport import Transport
from apps.bmc.tests.conftest import PeerFactory, PoolFactory
from apps.bmc.tests.peer import ADMIN, CLOSE, CONTROL, STATUS, Peer


def soon() -> float:
    return monotonic() + 5.0


@pytest.mark.parametrize(
    ("action", "number"),
    [
        (PowerAction.OFF, 0),
        (PowerAction.ON, 1),
        (PowerAction.CYCLE, 2),
        (PowerAction.RESET, 3),
        (PowerAction.NMI, 4),
        (PowerAction.SOFT_OFF, 5),
    ],
)
async def test_power_actions_have_their_number(
    make_pool: PoolFactory, make_peer: PeerFactory, action: PowerAction, number: int
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        await bmc.chassis_control(action, not_after=soon())
    assert peer.executed == [number]


async def test_a_reset_without_an_answer_left_exactly_once(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.lose_reply = lambda kind, count: kind in (CONTROL, STATUS)
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        with pytest.raises(BmcNoReply):
            await bmc.chassis_control(PowerAction.RESET, not_after=soon())
        with pytest.raises(BmcError):
            await bmc.power_state()
    await pool.aclose()
    assert peer.counts[CONTROL] == 1
    assert peer.executed == [3]


async def test_nothing_leaves_after_its_time(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        with pytest.raises(BmcNotSent) as caught:
            await bmc.chassis_control(PowerAction.RESET, not_after=monotonic() - 0.001)
        assert caught.value.params == {"reason": "too_late"}
        assert await bmc.power_state() is PowerState.ON
    assert peer.counts[CONTROL] == 0


async def test_an_action_waits_for_a_place_no_longer_than_its_time(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer, slow = make_pool(pool_size=1), await make_peer(), await make_peer()
    async with (
        pool.session(peer.endpoint, ADMIN) as bmc,
        pool.session(slow.endpoint, ADMIN) as other,
    ):
        slow.delays[STATUS] = 0.09
        reading = asyncio.create_task(other.power_state())
        await slow.until(lambda: slow.counts[STATUS] == 1)
        with pytest.raises(BmcNotSent) as caught:
            await bmc.chassis_control(PowerAction.RESET, not_after=monotonic() + 0.02)
        assert caught.value.params == {"reason": "waited_too_long"}
        assert await reading is PowerState.ON
    assert peer.counts[CONTROL] == 0


async def test_an_action_never_logs_in_anew(make_pool: PoolFactory, make_peer: PeerFactory) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        await pool.logout(peer.endpoint)
        with pytest.raises(BmcNotSent) as caught:
            await bmc.chassis_control(PowerAction.RESET, not_after=soon())
        assert caught.value.params == {"reason": "no_session"}
        assert await bmc.power_state() is PowerState.ON, "a read may"
    assert peer.counts[CONTROL] == 0
    assert peer.counts["open"] == 2


class RefusedByKernel(Transport):
    """A transport whose socket refuses to send, as a firewall or a full queue makes it do."""

    errno = 0

    def send(self, target: tuple[str, int], datagram: bytes) -> None:
        if self.errno:
            raise OSError(self.errno, "refused")
        super().send(target, datagram)


async def test_a_send_that_the_kernel_refuses_is_not_sent(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(transport=RefusedByKernel), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        for number in (1, 11, 105):
            RefusedByKernel.errno = number
            with pytest.raises(BmcNotSent) as caught:
                await bmc.chassis_control(PowerAction.RESET, not_after=soon())
            assert caught.value.params == {"reason": "network", "errno": number}
        RefusedByKernel.errno = 113
        with pytest.raises(BmcUnreachable):
            await bmc.power_state()
        RefusedByKernel.errno = 0
        assert await bmc.power_state() is PowerState.ON
    assert peer.counts[CONTROL] == 0


async def test_a_late_answer_is_never_the_answer_of_a_later_command(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def late(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        peer.data["late"] = proper
        return []

    def after_the_late_one(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        return [peer.data["late"], proper]

    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        peer.replies[CONTROL] = late
        with pytest.raises(BmcNoReply):
            await bmc.chassis_control(PowerAction.OFF, not_after=soon())
        peer.replies[CONTROL] = after_the_late_one
        peer.codes[CONTROL] = 0xD5
        with pytest.raises(BmcRefused):
            await bmc.chassis_control(PowerAction.ON, not_after=soon())
    assert pool.counters.dropped["late"] == 1


async def test_closing_the_pool_logs_out_and_ends_what_is_waiting(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        peer.lose_reply = lambda kind, count: kind == CONTROL
        acting = asyncio.create_task(bmc.chassis_control(PowerAction.RESET, not_after=soon()))
        await peer.until(lambda: peer.counts[CONTROL] == 1)
        await pool.aclose()
        with pytest.raises(BmcNoReply):
            await acting
        with pytest.raises(BmcError, match="overloaded"):
            await bmc.power_state()
    assert peer.counts[CLOSE] == 1
    assert pool.counters.sessions_open == 0


async def test_a_session_that_ends_while_an_action_waits_for_its_place_sends_nothing(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer, slow = make_pool(pool_size=1), await make_peer(), await make_peer()
    async with (
        pool.session(peer.endpoint, ADMIN) as bmc,
        pool.session(slow.endpoint, ADMIN) as other,
    ):
        slow.delays[STATUS] = 0.09
        reading = asyncio.create_task(other.power_state())
        await slow.until(lambda: slow.counts[STATUS] == 1)
        acting = asyncio.create_task(bmc.chassis_control(PowerAction.RESET, not_after=soon()))
        await asyncio.sleep(0)
        await pool.logout(peer.endpoint)
        with pytest.raises(BmcNotSent):
            await acting
        await reading
    assert peer.counts[CONTROL] == 0
