"""The in-memory BMC keeps the contract of the real one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic

import pytest

from apps.bmc import (
    BmcAuthError,
    BmcBusy,
    BmcNoReply,
    BmcNotSent,
    BmcOverloaded,
    BmcRefused,
    BmcSessionLost,
    BmcUnreachable,
    CipherSuite,
    Endpoint,
    PowerAction,
    PowerState,
    Sessions,
)
from apps.bmc.fake import FakeBmc, FakePool
from apps.bmc.pool import SessionPool
from apps.bmc.tests.peer import ADMIN

HERE = Endpoint("10.0.0.1")


def soon() -> float:
    return monotonic() + 5.0


def test_both_pools_are_sessions() -> None:
    pools: list[Sessions] = [FakePool(), SessionPool()]
    assert len(pools) == 2


async def test_it_says_who_it_is_and_what_the_session_got() -> None:
    pool = FakePool()
    async with pool.session(HERE, ADMIN) as bmc:
        assert (await bmc.fru()).serial == "E1-0001"
        assert bmc.facts().suite is CipherSuite.SHA256
        pool.bmc(HERE).fail("fru", BmcRefused(completion_code=0xCB))
        with pytest.raises(BmcRefused):
            await bmc.fru()
    with pytest.raises(BmcSessionLost):
        bmc.facts()


async def test_actions_change_the_state_and_are_counted() -> None:
    pool = FakePool()
    async with pool.session(HERE, ADMIN) as bmc:
        assert await bmc.power_state() is PowerState.ON
        assert repr(pool) == "<FakePool [1 active, 1 logged in]>"
        receipt = await bmc.chassis_control(PowerAction.SOFT_OFF, not_after=soon())
        assert receipt.sent_monotonic <= receipt.answered_monotonic
        assert await bmc.power_state() is PowerState.OFF
        with pytest.raises(BmcRefused):
            await bmc.chassis_control(PowerAction.RESET, not_after=soon())
        await bmc.chassis_control(PowerAction.ON, not_after=soon())
        await bmc.chassis_control(PowerAction.CYCLE, not_after=soon())
        await bmc.identify(15)
        assert (await bmc.chassis_status()).identify_on
        assert (await bmc.device_id()).firmware == "2.10"
        assert len(await bmc.system_guid()) == 32
    assert pool.bmc(HERE).executed == [PowerAction.SOFT_OFF, PowerAction.ON, PowerAction.CYCLE]
    assert pool.bmc(HERE).logins == 1


async def test_the_state_lags_behind_the_action() -> None:
    pool = FakePool()
    pool.bmc(HERE).lag_seconds = 0.02
    async with pool.session(HERE, ADMIN) as bmc:
        await bmc.chassis_control(PowerAction.OFF, not_after=soon())
        assert await bmc.power_state() is PowerState.ON
        async with asyncio.timeout(5):
            while await bmc.power_state() is PowerState.ON:
                await asyncio.sleep(0.005)


async def test_faults_are_raised_once_each() -> None:
    pool = FakePool()
    fake = pool.bmc(HERE)
    fake.fail("login", BmcAuthError())
    with pytest.raises(BmcAuthError):
        async with pool.session(HERE, ADMIN):
            pass
    fake.fail("chassis_status", BmcUnreachable(), BmcBusy())
    fake.fail("chassis_control", BmcBusy(), BmcNoReply())
    async with pool.session(HERE, ADMIN) as bmc:
        for error in (BmcUnreachable, BmcBusy):
            with pytest.raises(error):
                await bmc.power_state()
        assert await bmc.power_state() is PowerState.ON
        with pytest.raises(BmcBusy):
            await bmc.chassis_control(PowerAction.OFF, not_after=soon())
        with pytest.raises(BmcNoReply):
            await bmc.chassis_control(PowerAction.OFF, not_after=soon())
    assert fake.executed == [PowerAction.OFF], "no reply means that it may have run"


async def test_nothing_runs_too_late_or_outside_its_block() -> None:
    pool = FakePool()
    async with pool.session(HERE, ADMIN) as bmc:
        with pytest.raises(BmcNotSent):
            await bmc.chassis_control(PowerAction.OFF, not_after=monotonic() - 1)
    with pytest.raises(BmcNotSent):
        await bmc.chassis_control(PowerAction.OFF, not_after=soon())
    with pytest.raises(BmcSessionLost):
        await bmc.power_state()
    assert pool.bmc(HERE).executed == []


async def test_another_credential_logs_in_anew_and_a_closed_pool_serves_nobody() -> None:
    pool = FakePool()
    for credential in (ADMIN, ADMIN, replace(ADMIN, key="v2")):
        async with pool.session(HERE, credential):
            pass
    assert pool.bmc(HERE).logins == 2
    await pool.logout(HERE)
    pool.forgive(HERE)
    assert pool.forgiven == [HERE]
    await pool.aclose()
    with pytest.raises(BmcOverloaded):
        async with pool.session(HERE, ADMIN):
            pass


async def test_one_user_at_a_time() -> None:
    pool, inside = FakePool(), 0
    pool.bmcs[HERE.key] = FakeBmc(PowerState.OFF)
    pool.bmc(HERE).delay_seconds = 0.001

    async def use() -> PowerState:
        nonlocal inside
        async with pool.session(HERE, ADMIN) as bmc:
            inside += 1
            assert inside == 1
            state = await bmc.power_state()
            inside -= 1
            return state

    assert await asyncio.gather(*(use() for _ in range(5))) == [PowerState.OFF] * 5
