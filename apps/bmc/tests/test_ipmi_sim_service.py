"""The engine against a foreign BMC: OpenIPMI's ipmi_sim (suite 3 only)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest

from apps.bmc import (
    BmcAuthBlocked,
    BmcAuthError,
    BmcNoReply,
    BmcRefused,
    BmcUnreachable,
    CipherSuite,
    Credential,
    Endpoint,
    PowerAction,
    PowerState,
    Privilege,
    Secret,
    SessionFacts,
    report,
)
from apps.bmc.client import SessionPool
from apps.bmc.ipmi import fru
from apps.bmc.tests import ipmi_sim
from apps.bmc.tests.ipmi_sim import ACCOUNT, IpmiSim, LossyProxy
from apps.bmc.tests.peer import LOOPBACK

pytestmark = pytest.mark.service


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := ipmi_sim.missing():
        pytest.skip(reason)
    return ipmi_sim.build_module(tmp_path_factory.mktemp("chassis"))


@pytest.fixture
async def bmc(module: Path, tmp_path: Path) -> AsyncIterator[IpmiSim]:
    simulator = IpmiSim(tmp_path, module)
    await simulator.start()
    yield simulator
    simulator.kill()


@pytest.fixture
async def pool() -> AsyncIterator[SessionPool]:
    pool = SessionPool(policy=LOOPBACK)
    yield pool
    await pool.aclose()


def soon() -> float:
    return monotonic() + 10.0


async def test_status_identity_and_identify(bmc: IpmiSim, pool: SessionPool) -> None:
    async with pool.session(bmc.endpoint, ACCOUNT) as session:
        assert await session.power_state() is PowerState.ON
        device = await session.device_id()
        assert (device.manufacturer_id, device.product_id) == (0x1291, 0xF02)
        assert (device.firmware, device.ipmi_version) == ("9.08", "2.0")
        assert len(await session.system_guid()) == 32
        await session.identify(7)
    assert bmc.executed == ["identify 7"]


@pytest.mark.parametrize("chunk", [8, 64, 224])
async def test_the_inventory_is_read_in_pieces_of_any_size(
    bmc: IpmiSim, pool: SessionPool, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(fru, "FIRST_CHUNK", chunk)
    async with pool.session(bmc.endpoint, ACCOUNT) as session:
        record = await session.fru()
        assert (record.manufacturer, record.product) == ("HPE", "ProLiant DL380 Gen10")
        assert (record.serial, record.board_serial) == ("SIM000042", "BSIM000042")
        assert session.facts() == SessionFacts(CipherSuite.SHA1, Privilege.ADMINISTRATOR, True)
        told = report(await session.device_id(), record)
        assert (told.vendor, told.serial) == ("HPE", "SIM000042")


async def test_without_an_inventory_it_says_so(
    module: Path, pool: SessionPool, tmp_path: Path
) -> None:
    simulator = IpmiSim(tmp_path, module, has_fru=False)
    await simulator.start()
    try:
        async with pool.session(simulator.endpoint, ACCOUNT) as session:
            with pytest.raises(BmcRefused):
                await session.fru()
    finally:
        simulator.kill()


async def test_every_power_action_runs_once(bmc: IpmiSim, pool: SessionPool) -> None:
    async with pool.session(bmc.endpoint, ACCOUNT) as session:
        for action, state in (
            (PowerAction.OFF, PowerState.OFF),
            (PowerAction.ON, PowerState.ON),
            (PowerAction.RESET, PowerState.ON),
            (PowerAction.CYCLE, PowerState.OFF),  # and on again after some seconds
            (PowerAction.SOFT_OFF, PowerState.OFF),
        ):
            receipt = await session.chassis_control(action, not_after=soon())
            assert receipt.sent_monotonic <= receipt.answered_monotonic
            assert await session.power_state() is state, action
    assert bmc.executed == ["power 0", "power 1", "reset 1", "power 0", "soft_off 1"]


async def test_a_wrong_password_sends_no_rakp3_and_is_blocked_after_two(
    bmc: IpmiSim, pool: SessionPool
) -> None:
    wrong = Credential("admin", Secret("wrong"), Privilege.ADMINISTRATOR)
    only_3 = (CipherSuite.SHA1,)
    async with LossyProxy(bmc.endpoint) as proxy:
        endpoint = Endpoint(proxy.endpoint.address, proxy.endpoint.port, only_3)
        for _ in range(2):
            with pytest.raises(BmcAuthError) as caught:
                async with pool.session(endpoint, wrong):
                    pass
            assert caught.value.params == {"stage": "rakp2"}
        assert proxy.requests == 4, "two Open Session and two RAKP 1, no RAKP 3"
        with pytest.raises(BmcAuthBlocked):
            async with pool.session(endpoint, wrong):
                pass
        assert proxy.requests == 4
        async with pool.session(endpoint, ACCOUNT) as session:
            assert await session.power_state() is PowerState.ON


async def test_an_unknown_user_is_refused(bmc: IpmiSim, pool: SessionPool) -> None:
    with pytest.raises(BmcAuthError):
        async with pool.session(bmc.endpoint, Credential("nobody", Secret("secret123"))):
            pass


async def test_a_restarted_bmc_is_healed_by_the_next_read(bmc: IpmiSim, pool: SessionPool) -> None:
    async with pool.session(bmc.endpoint, ACCOUNT) as session:
        assert await session.power_state() is PowerState.ON
        bmc.kill()
        await bmc.start()
        started = monotonic()
        assert await session.power_state() is PowerState.ON
        assert monotonic() - started < 3 * 4.0
    assert pool.counters.logins == 2


async def test_a_dead_bmc_is_known(bmc: IpmiSim, pool: SessionPool) -> None:
    bmc.kill()
    started = monotonic()
    with pytest.raises(BmcUnreachable):
        async with pool.session(bmc.endpoint, ACCOUNT):
            pass
    assert monotonic() - started < 3 * 5.0


async def test_one_reset_with_eight_seconds_of_lost_replies_runs_once(
    bmc: IpmiSim, pool: SessionPool
) -> None:
    async with LossyProxy(bmc.endpoint) as proxy:
        async with pool.session(proxy.endpoint, ACCOUNT) as session:
            assert await session.power_state() is PowerState.ON
            proxy.loses_replies = True
            before, started = proxy.requests, monotonic()
            with pytest.raises(BmcNoReply):
                await session.chassis_control(PowerAction.RESET, not_after=soon())
            assert proxy.requests == before + 1
            await asyncio.sleep(8.0 - (monotonic() - started))  # the loss itself is the point
            proxy.loses_replies = False
            assert await session.power_state() is PowerState.ON
        assert proxy.lost == 1
    assert bmc.executed == ["reset 1"]


@pytest.mark.timeout(120)
async def test_beside_it_ipmitool_runs_the_same_reset_several_times(bmc: IpmiSim) -> None:
    """Why the portal has an engine of its own: the same loss, the same BMC, another client."""
    if shutil.which("ipmitool") is None:
        pytest.skip("ipmitool is not installed")
    async with LossyProxy(bmc.endpoint) as proxy:
        await ipmitool(proxy, "status")
        sent_before_the_answer = proxy.requests - 1  # all but Close Session
    async with LossyProxy(bmc.endpoint) as proxy:
        proxy.loses_from = sent_before_the_answer
        running = asyncio.create_task(ipmitool(proxy, "reset"))
        async with asyncio.timeout(30):
            while not proxy.loses_replies:
                await asyncio.sleep(0.01)
        await asyncio.sleep(8.0)  # the loss itself is the point
        proxy.loses_replies = False
        await running
    print(f"one reset, 8 s of lost replies: ipmitool ran it {len(bmc.executed)} times")
    assert bmc.executed.count("reset 1") == len(bmc.executed) >= 2


async def ipmitool(proxy: LossyProxy, verb: str) -> None:
    address, port = proxy.endpoint.key
    account = ["-U", ACCOUNT.username, "-P", ACCOUNT.password.reveal()]
    process = await asyncio.create_subprocess_exec(
        "ipmitool", "-I", "lanplus", "-C", "3", "-H", address, "-p", str(port), *account,
        "chassis", "power", verb, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await process.wait()
