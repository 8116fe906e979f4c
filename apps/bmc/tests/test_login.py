"""Logins against a scripted BMC: suites, refusals, rogue endpoints, lost packets."""

from __future__ import annotations

import pytest

from apps.bmc import (
    BmcAuthBlocked,
    BmcAuthError,
    BmcBusy,
    BmcError,
    BmcInsecure,
    BmcPrivilegeError,
    BmcProtocolError,
    BmcSlotsFull,
    CipherSuite,
    Credential,
    Endpoint,
    PowerState,
    Privilege,
    Secret,
)
from apps.bmc.pool import SessionPool
from apps.bmc.rmcp import wire
from apps.bmc.tests.conftest import PeerFactory, PoolFactory
from apps.bmc.tests.peer import ADMIN, CLOSE, PRIVILEGE, STATUS, Peer

ONLY_3 = (CipherSuite.SHA1,)
ONLY_17 = (CipherSuite.SHA256,)
WRONG = Credential("admin", Secret("wrong"), Privilege.ADMINISTRATOR)


async def status(
    pool: SessionPool, endpoint: Endpoint, credential: Credential = ADMIN
) -> PowerState:
    async with pool.session(endpoint, credential) as bmc:
        return await bmc.power_state()


async def fails(pool: SessionPool, peer: Peer, credential: Credential = ADMIN) -> BmcError:
    with pytest.raises(BmcError) as caught:
        await status(pool, peer.endpoint, credential)
    return caught.value


async def test_suite_17_is_proposed_first_and_used(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert peer.counts["open"] == 1
    assert pool.counters.logins == 1


@pytest.mark.parametrize("refusal", [0x04, 0x05, 0x06, 0x07, 0x10, 0x11])
async def test_suite_3_is_proposed_after_a_refusal_and_remembered(
    make_pool: PoolFactory, make_peer: PeerFactory, refusal: int
) -> None:
    pool, peer = make_pool(), await make_peer(suites=ONLY_3)
    peer.refusal_status = refusal
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert peer.counts["open"] == 2
    await pool.logout(peer.endpoint)
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert peer.counts["open"] == 3, "the relogin takes no extra round trip"


async def test_a_bmc_that_refuses_both_suites_is_insecure(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer(suites=())
    error = await fails(pool, peer)
    assert isinstance(error, BmcInsecure)
    assert error.params == {"reason": "no_suite", "status": 0x11}
    assert peer.counts["rakp1"] == 0


async def test_an_endpoint_that_proved_suite_17_is_never_asked_for_less(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    await status(pool, peer.endpoint)
    await pool.logout(peer.endpoint)
    peer.suites = ONLY_3
    assert isinstance(await fails(pool, peer), BmcInsecure)
    assert peer.counts["rakp1"] == 1, "only the first login came so far"


async def test_suite_17_is_tried_again_when_suite_3_is_refused_later(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer(suites=ONLY_3)
    await status(pool, peer.endpoint)
    await pool.logout(peer.endpoint)
    peer.suites = ONLY_17
    assert await status(pool, peer.endpoint) is PowerState.ON


async def test_an_endpoint_without_any_suite_is_not_asked(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    with pytest.raises(BmcInsecure):
        await status(pool, Endpoint(peer.address, peer.port, ()))
    assert peer.received == 0
    assert repr(pool) == "<SessionPool [0 active, 0 idle, 0 waiting]>"


async def test_an_answer_with_other_algorithms_is_insecure_and_gets_no_rakp1(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def suite_0(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        answer = wire.parse_open_response(wire.parse_envelope(proper).payload)
        return [wire.build_open_response(answer._replace(algorithms=(0, 0, 0)))]

    pool, peer = make_pool(), await make_peer()
    peer.replies["open"] = suite_0
    error = await fails(pool, peer)
    assert isinstance(error, BmcInsecure)
    assert error.params == {"reason": "other_algorithms"}
    assert peer.counts["rakp1"] == 0


async def test_an_answer_with_session_id_zero_is_a_protocol_error(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    def zero(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        answer = wire.parse_open_response(wire.parse_envelope(proper).payload)
        return [wire.build_open_response(answer._replace(bmc_id=0))]

    pool, peer = make_pool(), await make_peer()
    peer.replies["open"] = zero
    assert isinstance(await fails(pool, peer), BmcProtocolError)


async def test_a_wrong_password_stops_before_rakp3_and_is_blocked_after_two(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(login_interval_seconds=30.0), await make_peer()
    for _ in range(2):
        error = await fails(pool, peer, WRONG)
        assert type(error) is BmcAuthError
        assert error.params == {"stage": "rakp2"}
    assert peer.counts == {"open": 2, "rakp1": 2}
    assert isinstance(await fails(pool, peer, WRONG), BmcAuthBlocked)
    assert peer.received == 4, "a blocked secret sends nothing"
    assert pool.counters.refusals == 2
    assert await status(pool, peer.endpoint) is PowerState.ON, "another secret may try"


async def test_a_rogue_endpoint_gets_no_rakp3(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer(password="guessed")
    assert isinstance(await fails(pool, peer), BmcAuthError)
    assert peer.counts["rakp3"] == 0


@pytest.mark.parametrize("length", [0, 19, 21, 40])
async def test_an_auth_code_of_another_length_is_a_refusal(
    make_pool: PoolFactory, make_peer: PeerFactory, length: int
) -> None:
    def other(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        answer = wire.parse_rakp2(wire.parse_envelope(proper).payload)
        code = (answer.auth_code + bytes(40))[:length]
        return [wire.build_rakp2(answer._replace(auth_code=code))]

    pool, peer = make_pool(), await make_peer(suites=ONLY_3)
    peer.replies["rakp1"] = other
    assert isinstance(await fails(pool, peer), BmcAuthError)
    assert peer.counts["rakp3"] == 0


async def test_an_unknown_user_is_an_auth_error(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer(username="root")
    error = await fails(pool, peer)
    assert isinstance(error, BmcAuthError)
    assert error.params == {"status": 0x0D}


@pytest.mark.parametrize(
    ("step", "status_code", "kind"),
    [
        ("open", 0x01, BmcSlotsFull),
        ("open", 0x0B, BmcSlotsFull),
        ("open", 0x12, BmcProtocolError),
        ("rakp1", 0x09, BmcPrivilegeError),
        ("rakp1", 0x0A, BmcPrivilegeError),
        ("rakp1", 0x0C, BmcAuthError),
        ("rakp1", 0x11, BmcProtocolError),
        ("rakp3", 0x0F, BmcAuthError),
        ("rakp3", 0x01, BmcSlotsFull),
    ],
)
async def test_status_codes_have_their_error(
    make_pool: PoolFactory,
    make_peer: PeerFactory,
    step: str,
    status_code: int,
    kind: type[BmcError],
) -> None:
    def refuse(peer: Peer, request: bytes, proper: bytes) -> list[bytes]:
        payload = bytearray(wire.parse_envelope(proper).payload[:8])
        payload[1] = status_code
        return [wire.build_setup(wire.parse_envelope(proper).payload_type, bytes(payload))]

    pool, peer = make_pool(), await make_peer()
    peer.replies[step] = refuse
    assert type(await fails(pool, peer)) is kind
    assert pool.counters.sessions_open == 0


async def test_the_bmc_key_is_checked_in_rakp4(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer(kg="the-bmc-key")
    error = await fails(pool, peer)
    assert isinstance(error, BmcAuthError)
    assert error.params == {"stage": "rakp4"}
    right = Credential("admin", ADMIN.password, Privilege.ADMINISTRATOR, Secret("the-bmc-key"))
    assert await status(pool, peer.endpoint, right) is PowerState.ON


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        (Credential("", Secret("x")), "insecure"),
        (Credential("a" * 17, Secret("x")), "auth_failed"),
        (Credential("a", Secret("x" * 21)), "auth_failed"),
        (Credential("a", Secret("x"), kg=Secret("x" * 21)), "auth_failed"),
        (Credential("\udc80", Secret("x")), "auth_failed"),
    ],
)
async def test_an_impossible_credential_is_refused_before_anything_is_sent(
    make_pool: PoolFactory, make_peer: PeerFactory, credential: Credential, code: str
) -> None:
    pool, peer = make_pool(), await make_peer()
    error = await fails(pool, peer, credential)
    assert error.code == code
    assert peer.received == 0


async def test_a_level_below_the_wanted_one_is_a_privilege_error_and_frees_the_slot(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.level_limit = 2
    error = await fails(pool, peer)
    assert isinstance(error, BmcPrivilegeError)
    assert error.params == {"level": 2}
    await peer.until(lambda: peer.counts[CLOSE] == 1)
    assert peer.sessions_open == 0


@pytest.mark.parametrize(
    ("code", "kind"), [(0x81, BmcPrivilegeError), (0xD4, BmcPrivilegeError), (0xC0, BmcBusy)]
)
async def test_a_refused_level_has_its_error(
    make_pool: PoolFactory, make_peer: PeerFactory, code: int, kind: type[BmcError]
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.codes[PRIVILEGE] = code
    assert type(await fails(pool, peer)) is kind


async def test_an_empty_answer_to_the_level_is_a_protocol_error(
    make_pool: PoolFactory, make_peer: PeerFactory
) -> None:
    pool, peer = make_pool(), await make_peer()
    peer.data[PRIVILEGE] = b""
    assert isinstance(await fails(pool, peer), BmcProtocolError)


async def test_a_login_over_ipv6_works(make_pool: PoolFactory, make_peer: PeerFactory) -> None:
    pool, peer = make_pool(), await make_peer(address="::1")
    assert await status(pool, peer.endpoint) is PowerState.ON
    assert await status(pool, Endpoint("0:0:0:0:0:0:0:1", peer.port)) is PowerState.ON
    assert pool.counters.logins == 1, "two spellings are one BMC"
    assert peer.counts[STATUS] == 2
