"""Clients that others wrote use the simulator: it is a BMC for them too, not only for us."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apps.bmc.values import PowerAction, PowerState
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.fleet import Fleet
from apps.simulator.profiles import PROFILES

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

log = logging.getLogger(__name__)

SUITES = ["3", "17"]
REPLY_LOSS_SECONDS = 8.0


class Ended(NamedTuple):
    code: int
    out: str


def need(binary: str) -> str:
    path = shutil.which(binary) or shutil.which(binary, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{binary} is not installed")
    return path


async def run(*words: str, stdin: str = "", seconds: float = 60) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate(stdin.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(errors="replace"))


async def ipmitool(
    bmc: SimulatedBmc, *words: str, suite: str = "17", password: str | None = None
) -> Ended:
    where = ["-I", "lanplus", "-H", bmc.address, "-p", str(bmc.port), "-C", suite]
    secret = bmc.password if password is None else password
    return await run(need("ipmitool"), *where, "-U", bmc.username, "-P", secret, *words)


async def freeipmi(
    tool: str, bmc: SimulatedBmc, *words: str, suite: str = "3", password: str | None = None
) -> Ended:
    where = ["-D", "LAN_2_0", "-h", f"{bmc.address}:{bmc.port}", "-I", suite]
    secret = bmc.password if password is None else password
    return await run(need(tool), *where, "-u", bmc.username, "-p", secret, *words)


async def pyghmi(bmc: SimulatedBmc, *steps: str, password: str | None = None) -> Ended:
    wanted = {
        "address": bmc.address,
        "port": bmc.port,
        "username": bmc.username,
        "password": bmc.password if password is None else password,
        "steps": steps,
    }
    script = str(Path(__file__).with_name("pyghmi_user.py"))
    return await run(sys.executable, script, stdin=json.dumps(wanted))


def actions(bmc: SimulatedBmc) -> Sequence[PowerAction]:
    return [entry.action for entry in bmc.executed]


# ---------------------------------------------------------------- ipmitool


@pytest.mark.parametrize("suite", SUITES)
async def test_ipmitool_reads_and_switches(bmc: SimulatedBmc, suite: str) -> None:
    assert "is on" in (await ipmitool(bmc, "power", "status", suite=suite)).out
    for word in ("reset", "cycle", "soft"):
        assert (await ipmitool(bmc, "power", word, suite=suite)).code == 0
    assert bmc.power is PowerState.OFF
    assert "is off" in (await ipmitool(bmc, "power", "status", suite=suite)).out
    for word in ("on", "off"):
        assert (await ipmitool(bmc, "power", word, suite=suite)).code == 0
    assert actions(bmc) == ["reset", "cycle", "soft_off", "on", "off"]
    assert bmc.open_sessions == 0


@pytest.mark.parametrize("suite", SUITES)
async def test_ipmitool_reads_identity_and_lights_the_led(bmc: SimulatedBmc, suite: str) -> None:
    info = (await ipmitool(bmc, "mc", "info", suite=suite)).out
    assert "Manufacturer ID           : 674" in info
    assert "Firmware Revision         : 6.10" in info
    guid = (await ipmitool(bmc, "mc", "guid", suite=suite)).out
    assert bmc.guid in guid.replace("-", "")
    assert (await ipmitool(bmc, "chassis", "identify", "60", suite=suite)).code == 0
    assert bmc.identify_on
    assert (await ipmitool(bmc, "mc", "selftest", suite=suite)).code == 0
    assert "System Power         : on" in (await ipmitool(bmc, "chassis", "status")).out


@pytest.mark.parametrize("profile", ["dell-idrac9", "supermicro-x11"])
async def test_ipmitool_reads_the_inventory(profile: str) -> None:
    async with Fleet.start(network="127.16.0.0/16", profiles=[PROFILES[profile]]) as fleet:
        text = (await ipmitool(fleet[0], "fru", "print", "0")).out
        assert f"Product Serial        : {fleet[0].serial}" in text
        assert f"Product Manufacturer  : {PROFILES[profile].maker}" in text
        assert f"Board Serial          : B{fleet[0].serial}" in text


@pytest.mark.parametrize(
    ("profile", "flag"),
    [
        ("supermicro-x8dth-opensesspriv", "opensesspriv"),
        ("intel-se7520-intel20", "intel20"),
    ],
)
async def test_freeipmi_needs_its_own_workaround_for_the_models_that_it_names(
    profile: str, flag: str
) -> None:
    async with Fleet.start(network="127.16.0.0/16", profiles=[PROFILES[profile]]) as fleet:
        words = ["-l", "operator", "--get-device-id"]
        plain = await freeipmi("bmc-info", fleet[0], *words)
        helped = await freeipmi("bmc-info", fleet[0], *words, "-W", flag)
        assert plain.code != 0
        assert helped.code == 0
        assert "Manufacturer ID" in helped.out


async def test_ipmitool_without_a_suite_asks_which_there_are(bmc: SimulatedBmc) -> None:
    where = ["-I", "lanplus", "-H", bmc.address, "-p", str(bmc.port)]
    words = ["-U", bmc.username, "-P", bmc.password, "power", "status"]
    assert "is on" in (await run(need("ipmitool"), *where, *words)).out
    kinds = [seen.kind for seen in bmc.datagrams]
    assert "get_channel_cipher_suites" in kinds
    assert "open_session 17" in kinds


async def test_ipmitool_takes_the_only_suite_of_an_old_bmc() -> None:
    async with Fleet.start(profiles=[PROFILES["supermicro-x9-sha1"]]) as fleet:
        bmc = fleet[0]
        assert (await ipmitool(bmc, "power", "status", suite="17")).code != 0
        assert (await ipmitool(bmc, "power", "status", suite="3")).code == 0


@pytest.mark.parametrize("suite", SUITES)
async def test_ipmitool_with_a_wrong_password_is_refused(bmc: SimulatedBmc, suite: str) -> None:
    assert (await ipmitool(bmc, "power", "off", suite=suite, password="wrong")).code != 0
    assert bmc.executed_count() == 0
    assert (bmc.counters.handshakes, bmc.open_sessions) == (1, 0)


async def test_ipmitool_shows_a_refusal_as_such(bmc: SimulatedBmc) -> None:
    bmc.set_faults(refuse_power=True)
    ended = await ipmitool(bmc, "power", "reset")
    assert ended.code != 0
    assert "present state" in ended.out


# ---------------------------------------------------------------- FreeIPMI


@pytest.mark.parametrize("suite", SUITES)
async def test_freeipmi_reads_and_switches(bmc: SimulatedBmc, suite: str) -> None:
    assert ": on" in (await freeipmi("ipmipower", bmc, "--stat", suite=suite)).out
    for word in ("--reset", "--cycle", "--soft", "--on", "--off"):
        assert ": ok" in (await freeipmi("ipmipower", bmc, word, suite=suite)).out
    assert bmc.power is PowerState.OFF
    assert actions(bmc) == ["reset", "cycle", "soft_off", "on", "off"]
    status = await freeipmi("ipmi-chassis", bmc, "--get-chassis-status", suite=suite)
    assert (status.code, "off" in status.out) == (0, True)


@pytest.mark.parametrize("suite", SUITES)
async def test_freeipmi_reads_identity_and_lights_the_led(bmc: SimulatedBmc, suite: str) -> None:
    ended = await freeipmi("bmc-info", bmc, suite=suite)
    assert ended.code == 0
    assert "Dell Inc. (674)" in ended.out
    guid = await freeipmi("bmc-info", bmc, "--get-system-guid", suite=suite)
    assert guid.code == 0
    await freeipmi("ipmi-chassis", bmc, "--chassis-identify=60", suite=suite)
    assert bmc.identify_on


@pytest.mark.parametrize("suite", SUITES)
async def test_freeipmi_with_a_wrong_password_is_refused(bmc: SimulatedBmc, suite: str) -> None:
    ended = await freeipmi("ipmipower", bmc, "--off", suite=suite, password="wrong")
    assert "password" in ended.out
    assert bmc.executed_count() == 0


async def test_ipmipower_asks_a_hundred_at_once() -> None:
    async with Fleet.start(count=100, network="127.17.0.0/24") as fleet:
        fleet[7].press_power(PowerState.OFF)
        words = ["-D", "LAN_2_0", "-I", "17", "-u", fleet.username, "-p", fleet.password]
        hosts = ",".join(f"{bmc.address}:{bmc.port}" for bmc in fleet)
        ended = await run(need("ipmipower"), *words, "-h", hosts, "--stat")
        assert (ended.out.count(": on"), ended.out.count(": off")) == (99, 1)


# ---------------------------------------------------------------- pyghmi


@pytest.mark.parametrize("profile", ["dell-idrac9", "supermicro-x9-sha1"])
async def test_pyghmi_reads_and_switches(profile: str) -> None:
    async with Fleet.start(profiles=[PROFILES[profile]]) as fleet:
        bmc = fleet[0]
        steps = ["status", "reset", "shutdown", "status", "on", "off", "guid", "identify"]
        ended = await pyghmi(bmc, *steps)
        assert ended.code == 0, ended.out
        results: list[Any] = json.loads(ended.out.splitlines()[-1])
        assert (results[0], results[3], results[6]) == ("on", "off", bmc.guid)
        assert actions(bmc) == ["reset", "soft_off", "on", "off"]
        assert bmc.identify_on
        kinds = [seen.kind for seen in bmc.datagrams]
        assert ("open_session 17" in kinds) == (profile == "dell-idrac9")


async def test_pyghmi_with_a_wrong_password_is_refused(bmc: SimulatedBmc) -> None:
    assert (await pyghmi(bmc, "off", password="wrong")).code != 0
    assert (bmc.counters.handshakes, bmc.open_sessions) == (1, 0)


# ---------------------------------------------------------------- why the portal has its own engine


@pytest.mark.parametrize("suite", SUITES)
async def test_ipmitool_repeats_a_reset_whose_replies_are_lost(
    bmc: SimulatedBmc, suite: str
) -> None:
    bmc.set_faults(power_reply_loss_seconds=REPLY_LOSS_SECONDS)
    ended = await ipmitool(bmc, "power", "reset", suite=suite)
    count = bmc.executed_count(PowerAction.RESET)
    log.info("ipmitool: %d resets, exit code %d", count, ended.code)
    assert count >= 2


async def test_ipmitool_told_to_send_once_sends_once(bmc: SimulatedBmc) -> None:
    bmc.set_faults(power_reply_loss_seconds=REPLY_LOSS_SECONDS)
    await ipmitool(bmc, "-R", "1", "-N", "3", "power", "reset")
    assert bmc.executed_count(PowerAction.RESET) == 1


async def test_pyghmi_repeats_a_reset_whose_replies_are_lost(bmc: SimulatedBmc) -> None:
    bmc.set_faults(power_reply_loss_seconds=REPLY_LOSS_SECONDS)
    ended = await pyghmi(bmc, "reset")
    count = bmc.executed_count(PowerAction.RESET)
    log.info("pyghmi: %d resets, exit code %d", count, ended.code)
    assert count >= 2
