from __future__ import annotations

import pytest

from apps.bmc.rmcp import wire
from apps.bmc.rmcp.crypto import SUITES
from apps.bmc.values import CipherSuite, Privilege
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.fleet import Fleet
from apps.simulator.profiles import PROFILES
from apps.simulator.sessions import SessionTable
from apps.simulator.tests.scripted import (
    APP,
    CHASSIS_CONTROL,
    CLOSE_SESSION,
    GET_CHASSIS_STATUS,
    ScriptedClient,
    logged_in,
    scripted,
)

GET_CHANNEL_AUTH_CAPABILITIES = 0x38
GET_CHANNEL_CIPHER_SUITES = 0x54


async def test_presence_ping_is_answered_with_its_tag(client: ScriptedClient) -> None:
    assert wire.parse_presence(await client.ask(wire.build_presence_ping(77))) == (True, 77, True)


async def test_capabilities_offer_ipmi_20_only_to_who_asks_for_it(client: ScriptedClient) -> None:
    asked = await client.sessionless(APP, GET_CHANNEL_AUTH_CAPABILITIES, b"\x8e\x04")
    assert (asked.code, asked.data[1] & 0x80, asked.data[3]) == (0, 0x80, 0x02)
    plain = await client.sessionless(APP, GET_CHANNEL_AUTH_CAPABILITIES, b"\x0e\x04")
    assert (plain.data[1], plain.data[3]) == (0, 0)


async def test_capabilities_are_answered_in_an_rmcp_plus_envelope_too(
    client: ScriptedClient,
) -> None:
    request = wire.build_request(APP, GET_CHANNEL_AUTH_CAPABILITIES, b"\x8e\x04", 5)
    raw = await client.ask(wire.build_setup(wire.PAYLOAD_IPMI, request))
    assert raw[4] == wire.AUTH_RMCP_PLUS
    assert wire.parse_message(wire.parse_envelope(raw).payload).code == 0


async def test_cipher_suites_list_ends_after_its_last_record(client: ScriptedClient) -> None:
    first = await client.sessionless(APP, GET_CHANNEL_CIPHER_SUITES, b"\x0e\x00\x80")
    assert first.data[1:] == bytes.fromhex("c003014181 c011034481")
    second = await client.sessionless(APP, GET_CHANNEL_CIPHER_SUITES, b"\x0e\x00\x81")
    assert (second.code, len(second.data)) == (0, 1)


async def test_other_commands_need_a_session(client: ScriptedClient) -> None:
    assert (await client.sessionless(*GET_CHASSIS_STATUS)).code == 0xD4
    assert (await client.sessionless(*CHASSIS_CONTROL, b"\x00")).code == 0xD4
    assert client.bmc.executed_count() == 0


@pytest.mark.parametrize("suite", CipherSuite)
async def test_login_with_each_suite(bmc: SimulatedBmc, suite: CipherSuite) -> None:
    async with logged_in(bmc, suite=suite) as client:
        assert await client.is_on()
        assert (bmc.open_sessions, bmc.counters.logins, bmc.counters.refused_logins) == (1, 1, 0)
        closed = await client.command(CLOSE_SESSION, client.bmc_id.to_bytes(4, "little"))
        assert closed.code == 0
        assert bmc.open_sessions == 0


async def test_a_bmc_without_suite_17_refuses_it_and_takes_3() -> None:
    profiles = [PROFILES["supermicro-x9-sha1"]]
    async with Fleet.start(profiles=profiles) as fleet, scripted(fleet[0]) as client:
        assert await client.login(suite=CipherSuite.SHA256) == 0x11
        assert await client.login(suite=CipherSuite.SHA1) == 0


@pytest.mark.parametrize("algorithms", [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 2, 1)])
async def test_weak_suites_are_refused(
    client: ScriptedClient, algorithms: tuple[int, int, int]
) -> None:
    assert (await client.open_session(algorithms=algorithms)).status == 0x11


async def test_a_rogue_profile_answers_with_suite_0() -> None:
    profiles = [PROFILES["rogue-suite0"]]
    async with Fleet.start(profiles=profiles) as fleet, scripted(fleet[0]) as client:
        answer = await client.open_session()
    assert (answer.status, answer.algorithms) == (0, (0, 0, 0))


async def test_a_legacy_profile_offers_ipmi_15_only() -> None:
    profiles = [PROFILES["legacy-ipmi15"]]
    async with Fleet.start(profiles=profiles) as fleet, scripted(fleet[0]) as client:
        asked = await client.sessionless(APP, GET_CHANNEL_AUTH_CAPABILITIES, b"\x8e\x04")
        assert (asked.data[1] & 0x80, asked.data[3]) == (0, 0)
        request = wire.OpenRequest(1, 4, 9, SUITES[CipherSuite.SHA1].algorithms)
        assert await client.is_dropped(wire.build_open_request(request))


async def test_wrong_password_is_seen_in_rakp_2_and_refused_in_rakp_4(
    client: ScriptedClient,
) -> None:
    assert await client.login(password="wrong") == 0x0F
    assert (client.bmc.counters.logins, client.bmc.counters.refused_logins) == (1, 1)
    assert client.bmc.open_sessions == 0


async def test_who_stops_after_rakp_2_has_not_logged_in(client: ScriptedClient) -> None:
    await client.open_session()
    assert (await client.rakp1()).status == 0
    assert (client.bmc.counters.logins, client.bmc.counters.refused_logins) == (0, 0)


async def test_rakp_3_that_carries_an_error_is_a_refused_login(client: ScriptedClient) -> None:
    await client.open_session()
    await client.rakp1()
    assert await client.is_dropped(wire.build_rakp3(wire.Rakp3(3, 0x0F, client.bmc_id, b"")))
    assert (client.bmc.counters.logins, client.bmc.counters.refused_logins) == (1, 1)


async def test_unknown_and_disabled_users_look_the_same(client: ScriptedClient) -> None:
    client.bmc.set_user("gone", "secret", enabled=False)
    assert await client.login("nobody", "secret") == 0x0D
    assert await client.login("gone", "secret") == 0x0D
    assert await client.login("", "") == 0x0D


async def test_a_user_name_of_17_bytes_is_refused(client: ScriptedClient) -> None:
    await client.open_session()
    assert (await client.rakp1("x" * 17)).status == 0x0C


async def test_a_password_of_20_bytes_works(client: ScriptedClient) -> None:
    client.bmc.set_user("long", "x" * 20)
    assert await client.login("long", "x" * 20) == 0


async def test_a_role_above_the_users_limit_is_refused(client: ScriptedClient) -> None:
    client.bmc.set_user("reader", "secret", Privilege.USER)
    assert await client.login("reader", "secret", role=Privilege.OPERATOR) == 0x0A
    assert await client.login("reader", "secret", role=Privilege.USER) == 0


async def test_a_bmc_key_is_needed_where_one_is_set(client: ScriptedClient) -> None:
    client.bmc.set_kg(b"key of the bmc")
    await client.open_session()
    await client.rakp1()
    assert (await client.rakp3(kg=b"key of the bmc")).status == 0
    assert await client.is_on()


async def test_the_fifth_session_finds_no_slot(bmc: SimulatedBmc) -> None:
    async with (
        logged_in(bmc),
        logged_in(bmc),
        logged_in(bmc),
        logged_in(bmc) as last,
        scripted(bmc) as fifth,
    ):
        assert await fifth.login() == 0x01
        assert (bmc.open_sessions, bmc.counters.no_slot) == (4, 1)
        await last.command(CLOSE_SESSION, last.bmc_id.to_bytes(4, "little"))
        assert await fifth.login() == 0


async def test_half_open_sessions_take_no_slot(bmc: SimulatedBmc, client: ScriptedClient) -> None:
    for _ in range(30):
        assert (await client.open_session()).status == 0
    assert bmc.open_sessions == 0
    assert await client.login() == 0


async def test_a_resent_rakp_is_answered_again_or_refused_by_profile() -> None:
    dell, supermicro = PROFILES["dell-idrac9"], PROFILES["supermicro-x11"]
    async with Fleet.start(count=2, profiles=[dell, supermicro]) as fleet:
        async with scripted(fleet[0]) as client:
            await client.open_session()
            first, second = await client.rakp1(), await client.rakp1()
            assert first.bmc_random == second.bmc_random
            assert (await client.rakp3()).status == 0
            assert (await client.rakp3()).status == 0
            assert await client.is_on()
            assert (fleet[0].counters.logins, fleet[0].open_sessions) == (1, 1)
        async with scripted(fleet[1]) as client:
            await client.open_session()
            await client.rakp1()
            again = wire.Rakp1(2, client.bmc_id, bytes(16), 0x14, b"portal")
            assert "killed" in await client.is_dropped(wire.build_rakp1(again))
            assert (await client.rakp3()).status == 0x02
            assert await client.login() == 0
            assert (await client.rakp3()).status == 0x02


def test_idle_sessions_end_after_a_minute() -> None:
    table = SessionTable(slots=4, idle_seconds=60)
    session = table.begin(1, SUITES[CipherSuite.SHA1], 4, now=1000.0, window=32)
    table.activate(session, None)  # type: ignore[arg-type]
    assert table.open_count(now=1059.0) == 1
    session.touched_at = 1059.0
    assert table.find(session.bmc_id, now=1118.0) is session
    assert table.find(session.bmc_id, now=1120.0) is None


def test_half_open_sessions_are_forgotten() -> None:
    table = SessionTable(slots=4, idle_seconds=60)
    session = table.begin(1, SUITES[CipherSuite.SHA1], 4, now=1000.0, window=32)
    assert table.half_open(session.bmc_id, now=1019.0) is session
    assert table.half_open(session.bmc_id, now=1021.0) is None
