from __future__ import annotations

import pytest

from apps.bmc.rmcp import wire
from apps.bmc.values import PowerAction, PowerState, Privilege
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.chassis import Chassis
from apps.simulator.profiles import Lag
from apps.simulator.sessions import Session
from apps.simulator.tests.scripted import (
    APP,
    CHASSIS,
    CHASSIS_CONTROL,
    CHASSIS_IDENTIFY,
    CLOSE_SESSION,
    CYCLE,
    GET_CHASSIS_STATUS,
    GET_DEVICE_ID,
    GET_SYSTEM_GUID,
    NMI,
    OFF,
    ON,
    RESET,
    SET_PRIVILEGE,
    SOFT_OFF,
    ScriptedClient,
    logged_in,
)


async def test_identity_is_the_profiles(bmc: SimulatedBmc, session: ScriptedClient) -> None:
    answer = await session.command(GET_DEVICE_ID)
    assert answer.code == 0
    assert answer.data[2:4] == b"\x06\x10"
    assert int.from_bytes(answer.data[6:9], "little") == 674
    assert (await session.command(GET_SYSTEM_GUID)).data.hex() == bmc.guid
    assert (await session.command((APP, 0x08))).data.hex() == bmc.guid
    assert (await session.command((APP, 0x04))).data == b"\x55\x00"


async def test_unknown_commands_are_answered_c1(session: ScriptedClient) -> None:
    assert (await session.command((APP, 0x7F))).code == 0xC1
    assert (await session.command((0x2C, 0x3E))).code == 0xC1


async def test_short_and_impossible_data_are_refused(session: ScriptedClient) -> None:
    assert (await session.command(CHASSIS_CONTROL)).code == 0xC7
    assert await session.control(9) == 0xCC
    assert session.bmc.executed_count() == 0


async def test_every_control_runs_and_is_counted(session: ScriptedClient) -> None:
    bmc = session.bmc
    assert await session.control(SOFT_OFF) == 0
    assert not await session.is_on()
    assert await session.control(ON) == 0
    assert await session.is_on()
    for action in (CYCLE, RESET, NMI):
        assert await session.control(action) == 0
    assert await session.is_on()
    assert await session.control(OFF) == 0
    assert bmc.power is PowerState.OFF
    assert [entry.action for entry in bmc.executed] == [
        PowerAction.SOFT_OFF,
        PowerAction.ON,
        PowerAction.CYCLE,
        PowerAction.RESET,
        PowerAction.NMI,
        PowerAction.OFF,
    ]
    assert bmc.executed_count(PowerAction.RESET) == 1
    assert bmc.executed[0].username == bmc.username


@pytest.mark.parametrize("action", [CYCLE, RESET, NMI, SOFT_OFF])
async def test_what_needs_power_is_answered_d5_while_off(
    session: ScriptedClient, action: int
) -> None:
    session.bmc.press_power(PowerState.OFF)
    assert await session.control(action) == 0xD5
    assert (session.bmc.executed_count(), session.bmc.counters.refused_power) == (0, 1)


async def test_power_lags_behind_the_answer(session: ScriptedClient) -> None:
    bmc = session.bmc
    bmc.set_lag(Lag(0.05, 0.05, 0.05, 0.05))
    assert await session.control(CYCLE) == 0
    assert await session.is_on()
    await bmc.wait_until(lambda bmc: bmc.power is PowerState.OFF)
    assert not await session.is_on()
    await bmc.wait_until(lambda bmc: bmc.power is PowerState.ON)
    assert await session.is_on()


def test_soft_off_takes_longer_than_off_and_cycle_has_an_off_phase() -> None:
    chassis = Chassis(Lag(5, 3, 12, 4))
    chassis.execute(PowerAction.SOFT_OFF, now=100.0)
    assert chassis.power(111.9) is PowerState.ON
    assert chassis.power(112.0) is PowerState.OFF
    chassis.execute(PowerAction.ON, now=200.0)
    chassis.execute(PowerAction.CYCLE, now=210.0)
    states = [chassis.power(at) for at in (212.9, 213.0, 216.9, 217.0)]
    assert states == [PowerState.ON, PowerState.OFF, PowerState.OFF, PowerState.ON]


def test_a_pressed_button_ends_what_is_pending() -> None:
    chassis = Chassis(Lag(5, 3, 12, 4))
    chassis.execute(PowerAction.OFF, now=100.0)
    chassis.press(PowerState.ON)
    assert chassis.power(200.0) is PowerState.ON
    assert chassis.next_change_at(100.0) is None


async def test_the_last_power_on_by_command_is_told(session: ScriptedClient) -> None:
    assert not (await session.command(GET_CHASSIS_STATUS)).data[1] & 0x10
    await session.control(CYCLE)
    assert (await session.command(GET_CHASSIS_STATUS)).data[1] & 0x10


async def test_identify_is_on_for_its_time_and_shows_in_the_status(
    session: ScriptedClient,
) -> None:
    bmc = session.bmc

    async def shown() -> int:
        return (await session.command(GET_CHASSIS_STATUS)).data[2] >> 4 & 3

    assert await shown() == 0
    assert (await session.command(CHASSIS_IDENTIFY, b"\x78")).code == 0
    assert (await shown(), bmc.identify_on) == (1, True)
    await session.command(CHASSIS_IDENTIFY, b"\x00\x01")
    assert await shown() == 2
    await session.command(CHASSIS_IDENTIFY, b"\x00")
    assert (await shown(), bmc.identify_on) == (0, False)


def test_identify_goes_out_by_itself() -> None:
    chassis = Chassis(Lag())
    chassis.identify(15, now=100.0)
    assert (chassis.identify_state(114.0), chassis.identify_state(116.0)) == (1, 0)


# ---------------------------------------------------------------- privilege


async def test_a_session_starts_as_user_until_it_asks_for_more(bmc: SimulatedBmc) -> None:
    async with logged_in(bmc, raise_privilege=False) as client:
        assert await client.is_on()
        assert await client.control(RESET) == 0xD4
        assert (await client.command(SET_PRIVILEGE, b"\x00")).data == b"\x02"
        assert (await client.command(SET_PRIVILEGE, b"\x04")).data == b"\x04"
        assert await client.control(RESET) == 0


async def test_a_user_reads_and_does_not_switch(bmc: SimulatedBmc) -> None:
    bmc.set_user("reader", "secret", Privilege.USER)
    async with logged_in(bmc, username="reader", password="secret", role=2) as client:
        assert await client.is_on()
        assert await client.control(OFF) == 0xD4
        assert (await client.command(CHASSIS_IDENTIFY, b"\x05")).code == 0xD4
        assert (await client.command(SET_PRIVILEGE, b"\x03")).code == 0x81
        assert (await client.command(SET_PRIVILEGE, b"\x07")).code == 0xCC
    assert bmc.executed_count() == 0


async def test_only_an_administrator_closes_a_foreign_session(bmc: SimulatedBmc) -> None:
    bmc.set_user("operator", "secret", Privilege.OPERATOR)
    async with (
        logged_in(bmc) as admin,
        logged_in(bmc, username="operator", password="secret", role=3) as operator,
    ):
        foreign = admin.bmc_id.to_bytes(4, "little")
        assert (await operator.command(CLOSE_SESSION, foreign)).code == 0xD4
        own = operator.bmc_id.to_bytes(4, "little")
        assert (await admin.command(CLOSE_SESSION, own)).code == 0
        assert (await admin.command(CLOSE_SESSION, own)).code == 0x87


# ---------------------------------------------------------------- sequence and integrity


async def test_a_replayed_datagram_is_dropped(session: ScriptedClient) -> None:
    datagram = session.sealed(CHASSIS_CONTROL, bytes((RESET,)))
    assert session.opened(await session.ask(datagram)).code == 0
    assert "replayed" in await session.is_dropped(datagram)
    assert session.bmc.executed_count(PowerAction.RESET) == 1


async def test_a_resend_with_a_new_session_sequence_runs_again(session: ScriptedClient) -> None:
    for _ in range(3):
        datagram = session.sealed(CHASSIS_CONTROL, bytes((RESET,)), rq_seq=9)
        assert session.opened(await session.ask(datagram)).code == 0
    assert session.bmc.executed_count(PowerAction.RESET) == 3
    assert {entry.rq_seq for entry in session.bmc.executed} == {9}


async def test_sequence_numbers_may_be_late_within_the_window(session: ScriptedClient) -> None:
    late = session.sealed(GET_DEVICE_ID)
    assert await session.is_on()
    assert session.opened(await session.ask(late)).code == 0
    too_far = session.sealed(GET_DEVICE_ID, sequence=session.sequence + 33)
    assert "window" in await session.is_dropped(too_far)


def test_the_window_takes_every_number_once() -> None:
    session = Session(1, 2, None, 4, 0.0, window=32)  # type: ignore[arg-type]
    taken = [n for n in (1, 3, 2, 2, 0, 33, 1, 2, 34, 3, 3, 70, 66) if session.admits(n)]
    assert taken == [1, 3, 2, 33, 34, 66]


async def test_a_forged_datagram_is_dropped(session: ScriptedClient) -> None:
    datagram = bytearray(session.sealed(CHASSIS_CONTROL, bytes((RESET,))))
    datagram[-1] ^= 1
    assert await session.is_dropped(bytes(datagram)) == "integrity"
    assert session.bmc.executed_count() == 0


async def test_an_unsealed_command_in_a_session_is_dropped(session: ScriptedClient) -> None:
    raw = wire.build_request(CHASSIS, 0x02, bytes((RESET,)), 1)
    head = b"\x06\x00\xff\x07\x06\x00" + session.bmc_id.to_bytes(4, "little")
    plain = head + (5).to_bytes(4, "little") + len(raw).to_bytes(2, "little") + raw
    assert await session.is_dropped(plain) == "not sealed"
    assert session.bmc.executed_count() == 0


@pytest.mark.parametrize(
    "junk", [b"\x06", b"\xff" * 30, b"\x06\x00\xff\x07" + b"\x06" * 200, b"\x06\x00\xff\x06"]
)
async def test_junk_is_dropped_and_the_bmc_lives_on(session: ScriptedClient, junk: bytes) -> None:
    assert await session.is_dropped(junk)
    assert await session.is_on()


async def test_every_datagram_is_logged_with_its_time(session: ScriptedClient) -> None:
    await session.control(RESET)
    request, reply = list(session.bmc.datagrams)[-2:]
    assert (request.direction, request.kind, request.fate) == ("in", "chassis_control reset", "")
    assert (reply.direction, reply.kind) == ("out", "chassis_control cc=00")
    assert request.length > 0
    assert request.at <= reply.at
