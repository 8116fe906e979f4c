"""A runner without its clocks: each step of the engine when the test says so.

BMCs are `ScriptedBmc`s: a test may do anything (also to the database) in the middle of a
conversation. Clocks are moved by moving the times in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models import F
from django.db.models.functions import Now

from apps.bmc import (
    ChassisStatus,
    Credential,
    Endpoint,
    PowerAction,
    Receipt,
)
from apps.bmc.fake import FakeBmc, FakePool
from apps.core.testing import make_cluster, make_profile, make_server
from apps.inventory.models import Bmc, CredentialProfile, Server
from apps.jobs.config import RunnerConfig
from apps.jobs.models import BmcLease, JobTarget
from apps.jobs.worker import registry, sweeper
from apps.jobs.worker.access import Doorman
from apps.jobs.worker.claims import Claims, claim_due
from apps.jobs.worker.course import Bench, Course
from apps.jobs.worker.db import DbThreads
from apps.jobs.worker.identity import Identities
from apps.jobs.worker.ledger import Ledger
from apps.jobs.worker.news import News
from apps.jobs.worker.refusals import StoredRefusals

Hook = Callable[[], Awaitable[None]]


def fleet_server(**fields: Any) -> Server:
    """Return a server of the cluster "web" whose BMC has a usable profile."""
    profile = CredentialProfile.objects.filter(name="lab").first() or make_profile(name="lab")
    return make_server(**{"cluster": make_cluster("web"), "profile": profile} | fields)


async def elsewhere(function: Callable[[], object]) -> None:
    """Do something to the database in the middle of a conversation."""

    def run() -> None:
        try:
            function()
        finally:
            connections.close_all()

    await asyncio.to_thread(run)


class ScriptedBmc(FakeBmc):
    """Calls `before_read` and `before_control`; `effect` says what an accepted action shows."""

    def __init__(self) -> None:
        super().__init__()
        self.before_read: Hook | None = None
        self.before_control: Hook | None = None
        self.restarts_show = False
        self.controls: list[PowerAction] = []
        """Every datagram that left, also those that were refused or lost."""

    async def chassis_status(self) -> ChassisStatus:
        if self.before_read is not None:
            await self.before_read()
        status = await super().chassis_status()
        return ChassisStatus(status.power, self.restarts_show and bool(self.executed), False, None)

    async def chassis_control(self, action: PowerAction, *, not_after: float) -> Receipt:
        if self.before_control is not None:
            await self.before_control()
        self.controls.append(action)
        return await super().chassis_control(action, not_after=not_after)


class ScriptedPool(FakePool):
    def bmc(self, endpoint: Endpoint) -> FakeBmc:
        return self.bmcs.setdefault(endpoint.key, ScriptedBmc())

    def of(self, server: Server) -> ScriptedBmc:
        bmc = self.bmc(Endpoint(server.bmc.address, server.bmc.port))
        assert isinstance(bmc, ScriptedBmc)
        return bmc


class Stage:
    """`stage.step()` claims what is due and lets those conversations end."""

    def __init__(self, pool: FakePool, me: str = "test", **config: Any) -> None:
        self.me = me
        self.config = RunnerConfig(**{"db_threads": 2} | config)
        self.pool = pool
        self.credentials: list[Credential] = []
        self.identities = Identities()
        registry.worker_alive(me, "", "host", 1)

    def step(self) -> Claims:
        return asyncio.run(self._step())

    async def _step(self) -> Claims:
        db = DbThreads(self.config.db_threads, self.me)
        refusals = StoredRefusals(lambda refusal: news.refusal(refusal))
        news = News(db, refusals.saved)
        ledger = Ledger(db, news.changed)
        bench = Bench(
            self.me,
            self.config,
            db,
            ledger,
            news,
            self.pool,
            Doorman(refusals),
            lambda seconds: None,
            self.identities,
        )
        writer = asyncio.create_task(ledger.run())
        try:
            claims = await db.run(claim_due, self.me, self.config)
            courses = [Course(bench, claimed).act() for claimed in claims.fresh]
            courses += [Course(bench, claimed).verify() for claimed in claims.verifying]
            await asyncio.gather(*courses)
            await news.flush()
            return claims
        finally:
            writer.cancel()
            await asyncio.to_thread(db.close)

    def sweep(self) -> None:
        sweeper.sweep(gone_seconds=self.config.gone_seconds)

    def run(self, target: JobTarget, steps: int = 10) -> JobTarget:
        """Let it come to its end, waiting for nothing."""
        for _ in range(steps):
            if target.ended_at is not None:
                break
            make_due()
            self.step()
            target.refresh_from_db()
        return target


# -------------------------------------------------------------------- moving the clock


def make_due() -> None:
    JobTarget.objects.filter(ended_at__isnull=True).update(due_at=Now())


def pass_time(seconds: float) -> None:
    """Everything that was noted so far happened so much longer ago."""
    ago = timedelta(seconds=seconds)
    for name in ("due_at", "release_at", "not_after", "state_at"):
        JobTarget.objects.filter(ended_at__isnull=True).update(**{name: F(name) - ago})
    for name in ("verify_until", "wanted_seen_at"):
        rows = JobTarget.objects.filter(ended_at__isnull=True, **{f"{name}__isnull": False})
        rows.update(**{name: F(name) - ago})
    BmcLease.objects.update(expires_at=F("expires_at") - ago)
    Bmc.objects.update(poll_due_at=F("poll_due_at") - ago)
