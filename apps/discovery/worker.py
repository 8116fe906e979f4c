"""Connection tests on the worker's side: one attempt each, through the worker's own pool."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar, Final

import structlog
from django.db import transaction
from django.db.models import Exists
from django.db.models.functions import Now

from apps.bmc import (
    BmcError,
    BmcInsecure,
    BmcSession,
    Endpoint,
    FruRecord,
    Reported,
    Workaround,
    report,
    serials_of,
)
from apps.bmc.probe import Presence, Prober
from apps.core.dbtime import now_plus
from apps.core.secrets import SecretUnreadable
from apps.discovery.choices import (
    KEEP_HOURS,
    PICK_UP_SECONDS,
    TALK_SECONDS,
    Outcome,
    Progress,
)
from apps.discovery.models import ConnectionTest
from apps.discovery.selectors import bmc_of, owner_key
from apps.inventory.models import Bmc
from apps.inventory.services import identity_learn
from apps.jobs.choices import ResultCode
from apps.jobs.models import BmcLease
from apps.jobs.selectors import owner_of, workers_serving
from apps.jobs.sources import Desk, Source
from apps.jobs.worker.access import NO_BMC, BmcRow, NoAccess, rows_load, workarounds_of
from apps.jobs.worker.db import DATABASE_AWAY
from apps.jobs.worker.identity import fru_read, guid_read

log = structlog.get_logger(__name__)

PRESENCE_SECONDS: Final = 1.0
PRESENCE_ROUNDS: Final = 2
GUEST_SECONDS: Final = 60.0
"""A session with a BMC that is not in the inventory stays open so long: adding it then needs no
second login. Afterwards nobody has a use for it."""
FORGET_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """Who the record says is there."""

    guid: str = ""
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A claimed test with everything a conversation needs."""

    pk: Any
    row: BmcRow
    recorded: Recorded


@dataclass(slots=True)
class Verdict:
    """What came out; `facts` are plain, bounded values, also of a test that failed half-way."""

    outcome: str = Outcome.OK
    params: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


# -------------------------------------------------------------------- the database


def due_claim(me: str) -> list[Order]:
    """Take the waiting tests that are ours; in a database thread."""
    waiting = ConnectionTest.objects.filter(
        state=Progress.WAITING, created_at__gt=now_plus(-PICK_UP_SECONDS)
    )
    tests = list(waiting.select_related("server__bmc", "profile").order_by("created_at"))
    if not tests:
        return []
    workers = workers_serving()
    return [
        _order(test)
        for test in tests
        if owner_of(owner_key(test), test.site_id, workers) == me and _won(test, me)
    ]


def _won(test: ConnectionTest, me: str) -> bool:
    """Claim it, unless somebody did, it is too late, or another worker holds the BMC."""
    bmc = bmc_of(test)
    rows = ConnectionTest.objects.filter(
        pk=test.pk, state=Progress.WAITING, created_at__gt=now_plus(-PICK_UP_SECONDS)
    )
    if bmc is not None:
        leases = BmcLease.objects.filter(bmc=bmc, expires_at__gt=Now()).exclude(holder=me)
        rows = rows.filter(~Exists(leases))
    changes = {"state": Progress.RUNNING, "claimed_by": me, "claimed_at": Now()}
    return bool(rows.update(**changes))


def _order(test: ConnectionTest) -> Order:
    bmc = bmc_of(test)
    row = rows_load([bmc.pk])[bmc.pk] if bmc else _row_of_guest(test)
    credential, fault = None, ""
    try:
        credential = test.profile.credential()
    except SecretUnreadable:
        fault = ResultCode.SECRET_UNREADABLE.value
    row = dataclasses.replace(
        row,
        suites=Bmc(suite=test.suite).suites,
        workarounds=workarounds_of(test.workarounds),
        networks=tuple(map(str, test.profile.networks)),
        credential=credential,
        fault=fault,
    )
    return Order(test.pk, row, _recorded(test, bmc))


def _row_of_guest(test: ConnectionTest) -> BmcRow:
    return BmcRow(
        bmc_id=NO_BMC, server_ids=(), address=test.address, port=test.port, suites=(),
        workarounds=frozenset(), networks=(), credential=None, fault="", guid="",
        own_key="", refused_key="", refused_count=0, read_at=monotonic(),
    )  # fmt: skip


def _recorded(test: ConnectionTest, bmc: Bmc | None) -> Recorded:
    """What the record says of this very address; a manager of many servers has its own serial."""
    if bmc is None or test.server is None:
        return Recorded()
    serials = {bmc.seen_serial}
    if bmc.servers.count() == 1:
        serials.add(test.server.serial)
    return Recorded(bmc.guid, tuple(sorted(serials - {""})))


def finish(me: str, order: Order, verdict: Verdict) -> None:
    """Write what came out; and what was learnt, where nothing was known."""
    row = order.row
    with transaction.atomic():
        mine = ConnectionTest.objects.filter(pk=order.pk, state=Progress.RUNNING, claimed_by=me)
        is_written = mine.update(
            state=Progress.DONE,
            outcome=verdict.outcome,
            params=verdict.params,
            facts=verdict.facts,
            finished_at=Now(),
        )
        if not is_written or verdict.outcome != Outcome.OK or row.bmc_id == NO_BMC:
            return
        seen = {name: verdict.facts.get(name, "") for name in ("vendor", "product", "firmware")}
        identity_learn(
            bmc_id=row.bmc_id, address=row.address, port=row.port,
            who=Reported(**seen, serial=verdict.facts.get("serial", "")),
            guid=verdict.facts.get("guid", ""),
        )  # fmt: skip
        # It can be talked to: read its state now, over the session that is open.
        Bmc.objects.filter(pk=row.bmc_id).update(poll_due_at=Now())


def old_forget() -> int:
    return ConnectionTest.objects.filter(created_at__lt=now_plus(-KEEP_HOURS * 3600)).delete()[0]


def is_in_inventory(address: str, port: int) -> bool:
    return Bmc.objects.filter(address=address, port=port).exists()


# -------------------------------------------------------------------- the conversation


class Talk:
    """One test: presence, at most one login, three reads. It never raises for what a BMC does."""

    def __init__(self, desk: Desk, order: Order) -> None:
        self._desk = desk
        self._order = order
        self.endpoint: Endpoint | None = None
        self.verdict = Verdict()
        self._is_in = False
        self._fru: FruRecord | None = None

    async def run(self) -> Verdict:
        try:
            async with asyncio.timeout(TALK_SECONDS):
                await self._try()
        except TimeoutError:
            if not self._is_in:
                return self._end(Outcome.TOO_SLOW, {})
            self.verdict.facts["is_partial"] = True
        except (NoAccess, BmcError) as error:
            return self._end(error.code, error.params)
        except Exception:
            log.exception("connection_test_broke")
            return self._end(Outcome.INTERNAL, {})
        return self._compare()

    async def _try(self) -> None:
        row, desk = self._order.row, self._desk
        try:
            access = await desk.doorman.admit(row)
        except NoAccess as error:
            if error.params.get("stage") == "resolve":
                raise NoAccess("name_not_resolved") from error
            raise
        if Workaround.SKIP_AUTH_CAPABILITIES not in row.workarounds:
            await self._greet(access.endpoint)
        self.endpoint = access.endpoint
        async with desk.pool.session(
            access.endpoint, access.credential, interactive=True, heals=False
        ) as bmc:
            await self._ask(bmc)

    async def _greet(self, endpoint: Endpoint) -> None:
        """Ask what every BMC answers before a login; a password is not tried on anything else."""
        prober = Prober(self._desk.doorman.policy)
        try:
            found = await prober.probe(
                endpoint, wait_seconds=PRESENCE_SECONDS, rounds=PRESENCE_ROUNDS
            )
        finally:
            prober.close()
        if found is None:
            raise NoAccess(Outcome.NO_PRESENCE)
        self._greeted(found)

    def _greeted(self, found: Presence) -> None:
        self.verdict.facts["latency_ms"] = round(found.round_trip_seconds * 1000, 1)
        if found.allows_null_user:
            self.verdict.facts["allows_null_user"] = True
        if not found.is_rmcp_plus:
            raise BmcInsecure(reason="ipmi_1_5")

    async def _ask(self, bmc: BmcSession) -> None:
        facts, got = self.verdict.facts, bmc.facts()
        self._is_in = True
        facts |= {
            "suite": int(got.suite),
            "privilege": int(got.privilege),
            "is_new_session": got.is_new,
        }
        started = monotonic()
        device = await bmc.device_id()
        facts["latency_ms"] = round((monotonic() - started) * 1000, 1)
        facts["ipmi_version"] = device.ipmi_version
        facts |= _told(report(device, None))
        try:
            facts["guid"] = await guid_read(bmc)
            self._fru = await fru_read(bmc)
        except BmcError:
            facts["is_partial"] = True  # the login is proven; what is missing is not known
        facts |= _told(report(device, self._fru))

    def _compare(self) -> Verdict:
        """Say it when somebody else answers than the record has."""
        recorded, facts = self._order.recorded, self.verdict.facts
        if recorded.guid and facts.get("guid", recorded.guid) != recorded.guid:
            reported = {"reported": facts["guid"]} if facts["guid"] else {}
            return self._end(Outcome.GUID_DIFFERS, {"recorded": recorded.guid, **reported})
        there = {serial.casefold() for serial in serials_of(self._fru)} if self._fru else set()
        others = [serial for serial in recorded.serials if serial.casefold() not in there]
        if there and others:
            params = {"recorded": others[0], "reported": facts["serial"]}
            return self._end(Outcome.SERIAL_DIFFERS, params)
        return self.verdict

    def _end(self, outcome: str, params: dict[str, Any]) -> Verdict:
        self.verdict.outcome, self.verdict.params = str(outcome), dict(params)
        return self.verdict


def _told(who: Reported) -> dict[str, str]:
    return {name: value for name, value in dataclasses.asdict(who).items() if value}


@dataclass(slots=True)
class Guest:
    """A session with a BMC that is not in the inventory."""

    endpoint: Endpoint
    address: str
    until: float


class ConnectionTests(Source):
    name: ClassVar[str] = "connection tests"
    hears_bell: ClassVar[bool] = True

    def __init__(self) -> None:
        self._guests: dict[tuple[str, int], Guest] = {}
        self._forget_at = 0.0

    async def tick(self, desk: Desk) -> None:
        for order in await desk.db(due_claim, desk.me):
            desk.spawn(self._run(desk, order))
        await self._guests_leave(desk)
        if monotonic() >= self._forget_at:
            self._forget_at = monotonic() + FORGET_SECONDS
            await desk.db(old_forget)

    async def _run(self, desk: Desk, order: Order) -> None:
        talk = Talk(desk, order)
        try:
            verdict = await talk.run()
        finally:
            if talk.endpoint is not None and order.row.bmc_id == NO_BMC:
                guest = Guest(talk.endpoint, order.row.address, monotonic() + GUEST_SECONDS)
                self._guests[talk.endpoint.key] = guest
        log.info("connection_test", worker=desk.me, outcome=verdict.outcome)
        try:
            await desk.db(finish, desk.me, order, verdict)
        except DATABASE_AWAY as error:
            log.warning("connection_test_not_told", error=type(error).__name__)

    async def _guests_leave(self, desk: Desk) -> None:
        """Log out where nobody needs the session any more."""
        now = monotonic()
        for key, guest in list(self._guests.items()):
            if now >= guest.until:
                del self._guests[key]
                if not await desk.db(is_in_inventory, guest.address, guest.endpoint.port):
                    await desk.pool.logout(guest.endpoint)
