"""Commands on open sessions: reads heal, actions leave once, nothing foreign is an answer."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from apps.bmc import (
    BmcBusy,
    BmcError,
    BmcForbiddenAddress,
    BmcNotSent,
    BmcProtocolError,
    BmcRefused,
    BmcSessionLost,
    BmcUnreachable,
    PowerAction,
    PowerState,
)
from apps.bmc.rmcp import wire
from apps.bmc.rmcp.transport import Transport
from apps.bmc.tests.conftest import PeerFactory, PoolFactory
from apps.bmc.tests.peer import ADMIN, CONTROL, DEVICE_ID, GUID, IDENTIFY, STATUS, Peer


def soon() -> float:
    return monotonic() + 5.0


async def test_every_command_has_its_answer(make_pool: PoolFactory, make_peer: PeerFactory) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        status = await bmc.chassis_status()
        assert (status.power, status.identify_on) == (PowerState.ON, False)
        assert status.last_restart_by_command
        assert (await bmc.device_id()).firmware == "2.10"
        assert await bmc.system_guid() == bytes(range(16)).hex()
        await bmc.identify(15)
        receipt = await bmc.chassis_control(PowerAction.SOFT_OFF, not_after=soon())
        assert receipt.sent_monotonic <= receipt.answered_monotonic
        assert await bmc.power_state() is PowerState.OFF
    assert peer.executed == [5]
    assert peer.counts["open"] == 1


@pytest.mark.parametrize("way", ["lose_request", "lose_reply"])
async def test_a_lost_read_is_sent_again_in_the_same_session(
    make_pool: PoolFactory, make_peer: PeerFactory, way: str
) -> None:
    pool, peer = make_pool(), await make_peer()
    setattr(peer, way, lambda kind, count: kind == STATUS and count == 1)
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        assert await bmc.power_state() is PowerState.ON
    assert peer.counts[STATUS] == 2
    assert peer.counts["open"] == 1
    assert pool.counters.resends == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [(0xC0, BmcBusy), (0xC3, BmcBusy), (0xD4, BmcRefused), (0xD5, BmcRefused), (0xFF, BmcRefused)],
)
async def test_completion_codes_have_their_error(
    make_pool: PoolFactory, make_peer: PeerFactory, code: int, kind: type[BmcError]
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.codes = {CONTROL: code, STATUS: code}
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        with pytest.raises(kind) as caught:
            await bmc.chassis_control(PowerAction.RESET, not_after=soon())
        assert caught.value.params["completion_code"] == code
        with pytest.raises(kind):
            await bmc.power_state()
    assert peer.counts[CONTROL] == 1


@pytest.mark.parametrize("kind", [STATUS, DEVICE_ID, GUID])
@pytest.mark.parametrize("data", [b"", b"\x01"])
async def test_a_short_answer_is_a_protocol_error(
    make_pool: PoolFactory, make_peer: PeerFactory, kind: tuple[int, int], data: bytes
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.data[kind] = data
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        read = {STATUS: bmc.power_state, DEVICE_ID: bmc.device_id, GUID: bmc.system_guid}[kind]
        with pytest.raises(BmcProtocolError):
            await read()


async def test_an_inventory_that_is_busy_is_no_refusal(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.data[0x0A, 0x10] = b"\x00\x01\x00"
    peer.codes[0x0A, 0x11] = 0x81
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        with pytest.raises(BmcBusy) as caught:
            await bmc.fru()
    assert caught.value.params["completion_code"] == 0x81
    assert peer.counts[0x0A, 0x11] == 1


async def test_a_bmc_that_refuses_every_length_is_a_refusal(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.data[0x0A, 0x10] = b"\x00\x01\x00"
    peer.codes[0x0A, 0x11] = 0xC9
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        with pytest.raises(BmcRefused):
            await bmc.fru()
    assert peer.counts[0x0A, 0x11] == 4  # 64, 32, 16 and 8 bytes


class RefusedByKernel(Transport):
    """A transport whose socket refuses to send, as a firewall or a full queue makes it do."""

    errno = 0

    def send(self, target: tuple[str, int], datagram: bytes) -> None:
        if self.errno:
            raise OSError(self.errno, "refused")
        super().send(target, datagram)


async def test_no_route_is_known_at_once(make_pool: PoolFactory, make_peer: PeerFactory) -> None:
    pool, peer = make_pool(transport=RefusedByKernel), await make_peer()
    RefusedByKernel.errno = 101
    try:
        with pytest.raises(BmcUnreachable) as caught:
            async with pool.session(peer.endpoint, ADMIN):
                pass
        assert caught.value.params == {"reason": "network", "errno": 101}
    finally:
        RefusedByKernel.errno = 0


async def test_a_full_send_queue_is_like_a_lost_packet(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(transport=RefusedByKernel), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        RefusedByKernel.errno = 105
        reading = asyncio.create_task(bmc.power_state())
        await asyncio.sleep(0)
        RefusedByKernel.errno = 0
        assert await reading is PowerState.ON


async def test_replayed_and_forged_datagrams_are_dropped(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def noisy(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        forged = bytearray(proper)
        forged[-1] ^= 1
        other_id = bytearray(proper)
        other_id[6] ^= 1
        far = peer.sealed(wire.build_response(0, 1, 0, b"\x00\x00\x00", 1), 1000)
        garbled = peer.sealed(b"\x81\x04\x7b\x20")
        return [bytes(forged), bytes(other_id), far, garbled, b"\x06\x00\xff\x07", proper, proper]

    pool, peer = make_pool(), await make_peer()
    peer.replies[STATUS] = noisy
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        for _ in range(3):
            assert await bmc.power_state() is PowerState.ON
        await bmc.device_id()  # what came after the answers is read by now
    dropped = pool.counters.dropped
    assert dropped["integrity"] == 6
    assert dropped["replay"] == 6
    assert dropped["session_id"] == 6
    assert pool.counters.resends == 0


async def test_an_answer_to_another_request_number_is_dropped(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def other(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        off = b"\x00\x00\x00"
        wrong_rq_seq = peer.sealed(wire.build_response(0, 1, 0, off, 63))
        wrong_command = peer.sealed(wire.build_response(0, 2, 0, off, 2))
        wrong_netfn = peer.sealed(wire.build_response(6, 1, 0, off, 2))
        a_request = peer.sealed(wire.build_request(0, 1, off, 2))
        return [wrong_rq_seq, wrong_command, wrong_netfn, a_request, proper]

    pool, peer = make_pool(), await make_peer()
    peer.replies[STATUS] = other
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        assert await bmc.power_state() is PowerState.ON
    assert pool.counters.dropped["late"] == 4


async def test_a_bmc_that_restarted_is_healed_by_the_next_read(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(login_interval_seconds=30.0), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        await bmc.power_state()
        peer.restart()
        peer.power_on = False
        assert await bmc.power_state() is PowerState.OFF
    assert pool.counters.sessions_lost == 1
    assert pool.counters.logins == 2


async def test_the_second_loss_in_a_row_is_not_free(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(login_interval_seconds=30.0), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        await bmc.power_state()
        peer.restart()
        await bmc.power_state()
        peer.restart()
        with pytest.raises(BmcUnreachable):
            await bmc.power_state()
        with pytest.raises(BmcError) as caught:
            await bmc.power_state()
    assert caught.value.code == "login_too_soon"
    assert 25 <= int(caught.value.params["retry_seconds"]) <= 30
    assert peer.counts["rakp3"] == 2


async def test_a_bmc_that_died_under_a_session_is_unreachable(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        peer.lose_request = lambda kind, count: True
        started = monotonic()
        with pytest.raises(BmcUnreachable):
            await bmc.power_state()
        assert monotonic() - started < 3 * 1.2


async def test_a_bmc_that_logs_in_but_does_not_answer_is_unreachable(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.lose_reply = lambda kind, count: kind == STATUS
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        with pytest.raises(BmcUnreachable) as caught:
            await bmc.power_state()
    assert caught.value.params == {"stage": "command"}
    assert peer.counts["open"] == 2


async def test_a_cancelled_read_leaves_a_usable_session(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        peer.delays[STATUS] = 0.05
        reading = asyncio.create_task(bmc.power_state())
        await peer.until(lambda: peer.counts[STATUS] == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        peer.delays.clear()
        await peer.until(lambda: True)
        assert (await bmc.device_id()).product_id == 0x0102
    assert peer.counts["open"] == 1


async def test_a_cancelled_read_is_not_sent_again(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        peer.lose_request = lambda kind, count: kind == STATUS
        reading = asyncio.create_task(bmc.power_state())
        await peer.until(lambda: peer.counts[STATUS] == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.sleep(0.15)  # past the time of the re-send
        assert peer.counts[STATUS] == 1


async def test_two_tasks_in_one_visit_take_turns(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        power, device, guid = await asyncio.gather(
            bmc.power_state(), bmc.device_id(), bmc.system_guid()
        )
    assert (power, device.device_id, len(guid)) == (PowerState.ON, 0x20, 32)


async def test_a_session_used_after_its_block_sends_nothing(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        pass
    before = peer.received
    with pytest.raises(BmcSessionLost):
        await bmc.power_state()
    with pytest.raises(BmcNotSent):
        await bmc.chassis_control(PowerAction.RESET, not_after=soon())
    assert peer.received == before


@pytest.mark.parametrize("seconds", [-1, 256])
async def test_identify_takes_one_byte(
    make_pool: PoolFactory, make_peer: PeerFactory, seconds: int
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        with pytest.raises(ValueError, match="0 to 255"):
            await bmc.identify(seconds)
    assert peer.counts[IDENTIFY] == 0


async def test_request_numbers_go_round_without_confusion(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    async with pool.session(peer.endpoint, ADMIN) as bmc:
        for _ in range(150):
            await bmc.power_state()
    assert peer.counts[STATUS] == 150
    assert pool.counters.dropped.total() == 0


class ChangedPolicy(Transport):
    """A transport that is told no in the middle of everything."""

    forbids = False

    def send(self, target: tuple[str, int], datagram: bytes) -> None:
        if self.forbids:
            raise BmcForbiddenAddress(reason="outside_networks")
        super().send(target, datagram)


async def test_a_policy_that_says_no_ends_what_is_under_way(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer, other = make_pool(transport=ChangedPolicy), await make_peer(), await make_peer()
    try:
        async with pool.session(peer.endpoint, ADMIN) as bmc:
            ChangedPolicy.forbids = True
            with pytest.raises(BmcForbiddenAddress):
                await bmc.power_state()
            with pytest.raises(BmcForbiddenAddress):
                await bmc.chassis_control(PowerAction.RESET, not_after=soon())
            with pytest.raises(BmcForbiddenAddress):
                async with pool.session(other.endpoint, ADMIN):
                    pass
    finally:
        ChangedPolicy.forbids = False
    assert (peer.counts[CONTROL], other.received) == (0, 0)
