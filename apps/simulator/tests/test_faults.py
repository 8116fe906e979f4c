from __future__ import annotations

import time
from typing import Any

import pytest

from apps.bmc.rmcp import wire
from apps.bmc.values import PowerAction, PowerState
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.datagrams import Datagram
from apps.simulator.faults import (
    ALWAYS,
    FAULT_NAMES,
    NO_FAULTS,
    FaultError,
    FaultSwitch,
    Lie,
    value_from_word,
)
from apps.simulator.fleet import Fleet
from apps.simulator.fru import BadFru
from apps.simulator.tests.scripted import (
    CHASSIS_CONTROL,
    GET_CHASSIS_STATUS,
    GET_DEVICE_ID,
    GET_SYSTEM_GUID,
    OFF,
    ON,
    RESET,
    SOFT_OFF,
    ScriptedClient,
    logged_in,
    scripted,
)

PING = wire.build_presence_ping(7)
PONG = wire.build_presence_pong(7)


def sent(bmc: SimulatedBmc) -> list[Datagram]:
    return [seen for seen in bmc.datagrams if seen.direction == "out"]


# ---------------------------------------------------------------- the switch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("silence", True),
        ("", True),
        ("silent", 1),
        ("silent", "on"),
        ("request_loss", 1.01),
        ("request_loss", -0.1),
        ("request_loss", "half"),
        ("reply_loss", float("nan")),
        ("latency_seconds", -1),
        ("latency_seconds", True),
        ("latency_seconds", 1e9),
        ("busy", 1.5),
        ("busy", -2),
        ("busy", None),
        ("lie", "wild"),
        ("lie", ["frozen"]),
        ("fru", "odd"),
        ("wrong_serial", 1),
    ],
)
def test_a_wrong_name_or_value_is_told_in_a_sentence(name: str, value: Any) -> None:
    with pytest.raises(FaultError, match=r"\.$"):
        NO_FAULTS.changed({"wrong_guid": True, name: value})


def test_nothing_is_changed_when_one_of_many_is_wrong() -> None:
    switch = FaultSwitch()
    with pytest.raises(FaultError):
        switch.set({"silent": True, "busy": "often"}, now=0.0)
    with pytest.raises(FaultError):
        switch.set({"silent": True}, now=0.0, duration_seconds=-1)
    assert switch.current == NO_FAULTS


def test_every_fault_can_be_set_and_cleared() -> None:
    switch = FaultSwitch()
    for name in FAULT_NAMES:
        words = {"lie": Lie.FROZEN, "fru": BadFru.RANDOM}
        value = 1 if name.endswith("_seconds") else words.get(name, True)
        switch.set({name: value}, now=0.0)
        assert list(switch.current.active()) == [name]
        switch.clear([name])
    assert switch.current == NO_FAULTS


def test_a_fault_with_a_duration_heals_and_the_others_stay() -> None:
    switch = FaultSwitch()
    switch.set({"silent": True}, now=100.0, duration_seconds=8)
    switch.set({"busy": True}, now=100.0)
    assert switch.at(107.9).silent
    assert not switch.at(108.0).silent
    assert switch.at(1000.0).busy == ALWAYS


def test_setting_again_without_a_duration_stays() -> None:
    switch = FaultSwitch()
    switch.set({"silent": True}, now=100.0, duration_seconds=8)
    switch.set({"silent": True}, now=101.0)
    assert switch.at(1000.0).silent


def test_words_of_the_command_line() -> None:
    words = ["on", "off", "3", "-1", "0.5", "frozen"]
    assert [value_from_word(word) for word in words] == [True, False, 3, -1, 0.5, "frozen"]


# ---------------------------------------------------------------- the network


async def test_a_silent_bmc_hears_and_says_nothing(session: ScriptedClient) -> None:
    bmc = session.bmc
    bmc.set_faults(silent=True)
    reset = session.sealed(CHASSIS_CONTROL, bytes((RESET,)))
    assert await session.is_dropped(reset) == "silent"
    assert bmc.executed_count() == 0
    assert not session.has_mail
    bmc.clear_faults()
    assert await session.is_on()


async def test_lost_requests_do_not_run(session: ScriptedClient) -> None:
    session.bmc.set_faults(request_loss=1)
    reset = session.sealed(CHASSIS_CONTROL, bytes((RESET,)))
    assert await session.is_dropped(reset) == "request lost"
    assert session.bmc.executed_count() == 0


async def test_commands_run_although_their_replies_are_lost(session: ScriptedClient) -> None:
    bmc = session.bmc
    bmc.set_faults(reply_loss=1.0)
    session.send(session.sealed(CHASSIS_CONTROL, bytes((RESET,))))
    await bmc.wait_until(lambda bmc: bmc.executed_count(PowerAction.RESET) == 1)
    assert sent(bmc)[-1].fate == "reply lost"
    bmc.clear_faults(["reply_loss"])
    assert await session.is_on()


async def test_loss_is_about_as_likely_as_asked_and_repeats_with_the_seed() -> None:
    async def fates(seed: int) -> list[str]:
        async with Fleet.start(seed=seed) as fleet, scripted(fleet[0]) as client:
            fleet[0].set_faults(request_loss=0.3)
            for _ in range(200):
                client.send(PING)
            await fleet[0].wait_until(lambda bmc: bmc.counters.received == 200)
            return [seen.fate for seen in fleet[0].datagrams if seen.direction == "in"]

    first = await fates(1)
    assert 30 < first.count("request lost") < 90
    assert await fates(1) == first
    assert await fates(2) != first


async def test_replies_are_lost_from_the_next_power_command_on(session: ScriptedClient) -> None:
    bmc = session.bmc
    bmc.set_faults(power_reply_loss_seconds=0.3)
    assert await session.is_on()
    for _ in range(2):
        session.send(session.sealed(CHASSIS_CONTROL, bytes((RESET,))))
    await bmc.wait_until(lambda bmc: bmc.executed_count() == 2)
    assert [seen.fate for seen in sent(bmc)[-2:]] == ["reply lost", "reply lost"]
    began = bmc.executed[0].at
    while time.monotonic() < began + 5 and not session.has_mail:
        before = bmc.counters.received
        session.send(session.sealed(GET_CHASSIS_STATUS))
        await bmc.wait_until(lambda bmc, seen=before: bmc.counters.received > seen)  # type: ignore[misc]
    await session.receive()
    answered = [seen for seen in sent(bmc) if seen.at > began and not seen.fate]
    assert answered[0].at >= began + 0.3
    assert "power_reply_loss_seconds" not in bmc.faults.active()


async def test_replies_wait_for_the_latency(session: ScriptedClient) -> None:
    bmc = session.bmc
    bmc.set_faults(latency_seconds=0.08, jitter_seconds=0.02)
    assert await session.is_on()
    request, reply = list(bmc.datagrams)[-2:]
    assert 0.079 <= reply.at - request.at < 1.0


async def test_a_duplicated_request_runs_once_and_is_answered_twice_at_most(
    session: ScriptedClient,
) -> None:
    session.bmc.set_faults(duplicate=1)
    datagram = session.sealed(CHASSIS_CONTROL, bytes((RESET,)))
    first = await session.ask(datagram)
    assert await session.receive() == first
    assert session.bmc.executed_count(PowerAction.RESET) == 1


async def test_replies_change_their_order(session: ScriptedClient) -> None:
    session.bmc.set_faults(reorder=1)
    session.send(session.sealed(GET_DEVICE_ID))
    session.send(session.sealed(GET_CHASSIS_STATUS))
    commands = [session.opened(await session.receive()).command for _ in range(2)]
    assert commands == [0x01, 0x01]
    kinds = [seen.kind for seen in sent(session.bmc)[-2:]]
    assert kinds == ["get_chassis_status cc=00", "get_device_id cc=00"]


async def test_a_single_held_reply_leaves_after_a_moment(client: ScriptedClient) -> None:
    client.bmc.set_faults(reorder=1)
    assert await client.ask(PING) == PONG
    request, reply = list(client.bmc.datagrams)[-2:]
    assert reply.at - request.at >= 0.19


async def test_truncated_replies_are_shorter(client: ScriptedClient) -> None:
    client.bmc.set_faults(truncate=1)
    reply = await client.ask(PING)
    assert len(reply) < len(PONG)
    assert PONG.startswith(reply)


async def test_garbage_is_not_what_was_meant(client: ScriptedClient) -> None:
    client.bmc.set_faults(garbage=1)
    replies = {await client.ask(PING) for _ in range(20)}
    assert len(replies) > 10
    assert PONG not in replies
    client.bmc.clear_faults()
    assert await client.ask(PING) == PONG


# ---------------------------------------------------------------- the BMC


async def test_refused_power_is_d5_and_does_not_run(session: ScriptedClient) -> None:
    session.bmc.set_faults(refuse_power=True)
    assert await session.control(OFF) == 0xD5
    assert session.bmc.power is PowerState.ON
    assert (session.bmc.executed_count(), session.bmc.counters.refused_power) == (0, 1)


async def test_ignored_power_is_accepted_and_changes_nothing(session: ScriptedClient) -> None:
    session.bmc.set_faults(ignore_soft_off=True)
    assert await session.control(SOFT_OFF) == 0
    assert await session.is_on()
    session.bmc.set_faults(ignore_power=True)
    assert await session.control(OFF) == 0
    assert await session.is_on()


async def test_busy_n_times_then_well_again(session: ScriptedClient) -> None:
    session.bmc.set_faults(busy=2)
    codes = [(await session.command(GET_CHASSIS_STATUS)).code for _ in range(3)]
    assert codes == [0xC0, 0xC0, 0x00]


async def test_busy_power_strikes_power_only(session: ScriptedClient) -> None:
    session.bmc.set_faults(busy_power=True)
    assert [await session.control(ON) for _ in range(3)] == [0xC0] * 3
    assert await session.is_on()
    assert session.bmc.executed_count() == 0
    session.bmc.set_faults(busy_power=False)
    assert await session.control(ON) == 0


async def test_a_busy_bmc_can_still_be_logged_into(bmc: SimulatedBmc) -> None:
    bmc.set_faults(busy=True)
    async with logged_in(bmc) as client:
        assert (await client.command(GET_CHASSIS_STATUS)).code == 0xC0


async def test_lies_about_the_power_state(session: ScriptedClient) -> None:
    bmc = session.bmc
    bmc.set_faults(lie="opposite")
    assert not await session.is_on()
    bmc.set_faults(lie=Lie.FROZEN)
    assert await session.control(OFF) == 0
    assert bmc.power is PowerState.OFF
    assert await session.is_on()
    bmc.set_faults(lie=False)
    assert not await session.is_on()


async def test_a_wrong_guid_shows_at_login_and_in_the_answer(bmc: SimulatedBmc) -> None:
    bmc.set_faults(wrong_guid=True)
    async with scripted(bmc) as client:
        await client.open_session()
        shown = (await client.rakp1()).guid
        assert (await client.rakp3()).status == 0
        assert shown.hex() != bmc.guid
        assert (await client.command(GET_SYSTEM_GUID)).data == shown


async def test_three_bad_logins_lock_the_user_until_it_is_cleared(
    client: ScriptedClient,
) -> None:
    bmc = client.bmc
    bmc.set_faults(lock_out=True)
    assert [await client.login(password="wrong") for _ in range(3)] == [0x0F] * 3
    assert await client.login() == 0x0D
    assert bmc.locked_users == [bmc.username]
    bmc.clear_faults(["lock_out"])
    assert bmc.locked_users == []
    assert await client.login() == 0


async def test_a_good_login_forgives_the_bad_ones(client: ScriptedClient) -> None:
    client.bmc.set_faults(lock_out=True)
    for _ in range(2):
        assert await client.login(password="wrong") == 0x0F
        assert await client.login(password="wrong") == 0x0F
        assert await client.login() == 0


async def test_a_restarted_bmc_knows_no_session(session: ScriptedClient) -> None:
    session.bmc.restart()
    assert await session.is_dropped(session.sealed(GET_CHASSIS_STATUS)) == "unknown session"
    assert await session.login() == 0


async def test_a_restarting_bmc_is_silent_for_a_while(client: ScriptedClient) -> None:
    client.bmc.restart(down_seconds=60)
    assert await client.is_dropped(PING) == "restarting"
    client.bmc.restart()
    assert await client.ask(PING) == PONG


async def test_faults_of_one_bmc_leave_the_others_alone(fleet: Fleet) -> None:
    fleet[0].set_faults(silent=True)
    async with scripted(fleet[1]) as client:
        assert await client.ask(PING) == PONG
    fleet.set_faults(silent=True)
    assert all(bmc.faults.silent for bmc in fleet)
    fleet.clear_faults()
    assert not any(bmc.faults.silent for bmc in fleet)
