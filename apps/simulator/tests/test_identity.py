"""Who a simulated BMC says it is, asked by the portal's own engine; and models that need help."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from apps.bmc import (
    BmcAuthError,
    BmcError,
    BmcProtocolError,
    BmcRefused,
    BmcSessionLost,
    BmcUnreachable,
    CipherSuite,
    Credential,
    Endpoint,
    FruRecord,
    Privilege,
    Secret,
    SessionFacts,
    Workaround,
)
from apps.bmc.client import SessionPool
from apps.bmc.probe import Prober
from apps.bmc.tests.peer import LOOPBACK
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.fleet import Fleet
from apps.simulator.fru import MARKUP, BadFru
from apps.simulator.profiles import PROFILES

ONLY_3 = (CipherSuite.SHA1,)
ONLY_17 = (CipherSuite.SHA256,)


@asynccontextmanager
async def one(profile: str) -> AsyncIterator[SimulatedBmc]:
    async with Fleet.start(network="127.13.0.0/16", profiles=[PROFILES[profile]]) as fleet:
        yield fleet[0]


@pytest.fixture
async def pool() -> AsyncIterator[SessionPool]:
    pool = SessionPool(policy=LOOPBACK)
    yield pool
    await pool.aclose()


def account(bmc: SimulatedBmc, privilege: Privilege = Privilege.OPERATOR) -> Credential:
    return Credential(bmc.username, Secret(bmc.password), privilege)


def endpoint(
    bmc: SimulatedBmc, *workarounds: Workaround, suites: tuple[CipherSuite, ...] = ONLY_17 + ONLY_3
) -> Endpoint:
    return Endpoint(bmc.address, bmc.port, suites, frozenset(workarounds))


async def fru_of(pool: SessionPool, bmc: SimulatedBmc) -> FruRecord:
    async with pool.session(endpoint(bmc), account(bmc)) as session:
        return await session.fru()


# ---------------------------------------------------------------- inventory


@pytest.mark.parametrize(
    ("profile", "maker", "model"),
    [
        ("dell-idrac9", "DELL", "PowerEdge R740"),
        ("supermicro-x11", "Supermicro", "SYS-2029U-TR4"),
        ("hpe-ilo5", "HPE", "ProLiant DL380 Gen10"),
    ],
)
async def test_models_tell_maker_model_and_serial(
    pool: SessionPool, profile: str, maker: str, model: str
) -> None:
    async with one(profile) as bmc:
        fru = await fru_of(pool, bmc)
        assert (fru.manufacturer, fru.product, fru.serial) == (maker, model, bmc.serial)
        reads = [seen for seen in bmc.datagrams if seen.kind == "read_fru_data"]
        assert len(reads) <= 12


async def test_every_bmc_has_a_serial_of_its_own(pool: SessionPool) -> None:
    async with Fleet.start(count=4, network="127.13.0.0/16") as fleet:
        serials = {(await fru_of(pool, bmc)).serial for bmc in fleet}
    assert serials == {"SIM000000", "SIM000001", "SIM000002", "SIM000003"}


async def test_a_swapped_machine_has_another_serial(pool: SessionPool) -> None:
    async with one("dell-idrac9") as bmc:
        bmc.set_faults(wrong_serial=True)
        fru = await fru_of(pool, bmc)
        assert fru.serial == "SWAP000000"
        bmc.clear_faults()
        assert (await fru_of(pool, bmc)).serial == bmc.serial


async def test_a_model_without_inventory_says_so(pool: SessionPool) -> None:
    async with one("supermicro-x9-sha1") as bmc:
        with pytest.raises(BmcRefused) as caught:
            await fru_of(pool, bmc)
        assert caught.value.params["completion_code"] == 0xCB


async def test_hostile_texts_come_clean(pool: SessionPool) -> None:
    async with one("dell-idrac9") as bmc:
        bmc.set_faults(fru=BadFru.MARKUP)
        fru = await fru_of(pool, bmc)
        assert fru.manufacturer == MARKUP, "text is text: pages escape it"
        assert fru.serial == "SIM000000[31m<img src=x>"


@pytest.mark.parametrize("bad", [BadFru.RANDOM, BadFru.DRIBBLE, BadFru.EMPTY])
async def test_a_bad_inventory_ends_soon_and_the_session_goes_on(
    pool: SessionPool, bad: BadFru
) -> None:
    async with one("dell-idrac9") as bmc:
        bmc.set_faults(fru=bad)
        async with pool.session(endpoint(bmc), account(bmc)) as session:
            started = monotonic()
            try:
                assert len((await session.fru()).serial) <= 64
            except BmcProtocolError:
                assert bad is not BadFru.RANDOM
            assert monotonic() - started < 3 * 2
            assert (await session.device_id()).manufacturer_id == 674
        assert bmc.counters.logins == 1


async def test_a_busy_inventory_is_busy(pool: SessionPool) -> None:
    async with one("dell-idrac9") as bmc, pool.session(endpoint(bmc), account(bmc)) as session:
        bmc.set_faults(busy=1)
        with pytest.raises(BmcError) as caught:
            await session.fru()
        assert caught.value.code == "busy"


# ---------------------------------------------------------------- what a session got


@pytest.mark.parametrize("suite", list(CipherSuite))
async def test_a_session_knows_its_suite_and_level(pool: SessionPool, suite: CipherSuite) -> None:
    async with one("dell-idrac9") as bmc:
        where = endpoint(bmc, suites=(suite,))
        async with pool.session(where, account(bmc, Privilege.ADMINISTRATOR)) as session:
            assert session.facts() == SessionFacts(suite, Privilege.ADMINISTRATOR, is_new=True)
        async with pool.session(where, account(bmc, Privilege.ADMINISTRATOR)) as again:
            assert again.facts().is_new is False
        with pytest.raises(BmcSessionLost):
            again.facts()
        assert bmc.counters.logins == 1


async def test_an_open_session_of_a_suite_that_is_not_offered_any_more_is_replaced(
    pool: SessionPool,
) -> None:
    async with one("dell-idrac9") as bmc:
        async with pool.session(endpoint(bmc, suites=ONLY_3), account(bmc)) as session:
            assert session.facts().suite is CipherSuite.SHA1
        async with pool.session(endpoint(bmc, suites=ONLY_17), account(bmc)) as session:
            assert session.facts() == SessionFacts(CipherSuite.SHA256, Privilege.OPERATOR, True)
        assert bmc.open_sessions == 1


async def test_a_use_that_does_not_heal_logs_in_once(pool: SessionPool) -> None:
    async with one("dell-idrac9") as bmc:
        async with pool.session(endpoint(bmc), account(bmc), True, False) as session:
            await session.device_id()
            bmc.restart()
            with pytest.raises(BmcUnreachable):
                await session.device_id()
            with pytest.raises(BmcSessionLost):
                await session.device_id()
        assert bmc.counters.handshakes == 1


async def test_a_use_that_does_not_heal_may_replace_a_session_that_died_before(
    pool: SessionPool,
) -> None:
    async with one("dell-idrac9") as bmc:
        async with pool.session(endpoint(bmc), account(bmc)):
            pass
        bmc.restart()
        async with pool.session(endpoint(bmc), account(bmc), True, False) as session:
            await session.device_id()
            assert session.facts().is_new
        assert bmc.counters.logins == 2


# ---------------------------------------------------------------- workarounds


async def works(pool: SessionPool, where: Endpoint, bmc: SimulatedBmc) -> bool:
    async with pool.session(where, account(bmc)) as session:
        return session.facts().privilege is Privilege.OPERATOR


@pytest.mark.parametrize("suite", list(CipherSuite))
@pytest.mark.parametrize(
    ("profile", "workaround"),
    [
        ("supermicro-x8dth-opensesspriv", Workaround.OPEN_SESSION_PRIVILEGE),
        ("intel-se7520-intel20", Workaround.PADDED_USERNAME),
    ],
)
async def test_a_model_that_needs_a_workaround_takes_no_login_without_it(
    pool: SessionPool, profile: str, workaround: Workaround, suite: CipherSuite
) -> None:
    async with one(profile) as bmc:
        with pytest.raises(BmcAuthError):
            await works(pool, endpoint(bmc, suites=(suite,)), bmc)
        assert bmc.counters.logins == 0, "no RAKP 3 left"
        assert await works(pool, endpoint(bmc, workaround, suites=(suite,)), bmc)


async def test_naming_the_privilege_harms_no_proper_bmc(pool: SessionPool) -> None:
    async with one("dell-idrac9") as bmc:
        assert await works(pool, endpoint(bmc, Workaround.OPEN_SESSION_PRIVILEGE), bmc)


async def test_a_bmc_that_tells_strangers_nothing_can_be_logged_in_to(pool: SessionPool) -> None:
    async with one("reticent") as bmc:
        prober = Prober(LOOPBACK)
        try:
            assert await prober.probe(endpoint(bmc), wait_seconds=0.1, rounds=1) is None
        finally:
            prober.close()
        assert await works(pool, endpoint(bmc), bmc)
