"""The runner: one asyncio loop that claims due targets and drives all of them at once."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import structlog
from django.conf import settings

from apps.bmc.client import Counters, PoolConfig, RefusalStore, SessionPool
from apps.jobs.config import RunnerConfig
from apps.jobs.sources import Desk, Sessions, sources_make
from apps.jobs.worker import bells, registry, sweeper
from apps.jobs.worker.access import Doorman
from apps.jobs.worker.claims import Claimed, claim_due, leases_renew
from apps.jobs.worker.course import Bench, Course
from apps.jobs.worker.db import DATABASE_AWAY, DbThreads
from apps.jobs.worker.ledger import Ledger
from apps.jobs.worker.news import News
from apps.jobs.worker.refusals import StoredRefusals

log = structlog.get_logger(__name__)

T = TypeVar("T")
PoolFactory = Callable[[Doorman, RefusalStore], Sessions]


def pool_make(doorman: Doorman, refusals: RefusalStore) -> SessionPool:
    config = PoolConfig(pool_size=settings.BMC_POOL_SIZE, max_sessions=settings.BMC_MAX_SESSIONS)
    return SessionPool(config, doorman.policy, refusals)


class Runner(Desk):
    """Lives from `run()` to `stop()`; everything but `ring` belongs to the loop's thread."""

    def __init__(
        self,
        name: str,
        site_name: str = "",
        config: RunnerConfig | None = None,
        pool_factory: PoolFactory = pool_make,
    ) -> None:
        self.me = name
        self._site_name = site_name
        self._config = config or RunnerConfig.from_settings()
        self._pool_factory = pool_factory
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._stopping = asyncio.Event()
        self._acting: dict[asyncio.Task[None], Claimed] = {}
        self._reading: set[asyncio.Task[None]] = set()
        self._database_away = False
        self._tally: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Runner {self.me} [{len(self._acting)} acting, {len(self._reading)} reading]>"

    # ---------------------------------------------------------------- life

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`; then drain, log out and sign off."""
        self._loop = asyncio.get_running_loop()
        config = self._config
        self._db = DbThreads(config.db_threads, self.me)
        refusals = StoredRefusals(lambda refusal: self.news.refusal(refusal))
        self.news = News(self._db, refusals.saved)
        self.doorman = Doorman(refusals)
        self.pool = self._pool_factory(self.doorman, refusals)
        self._ledger = Ledger(self._db, self.news.changed)
        self._bench = Bench(
            self.me,
            config,
            self._db,
            self._ledger,
            self.news,
            self.pool,
            self.doorman,
            self._wake_in,
        )
        self._sources = sources_make()
        await self._guarded("heartbeat", self._heartbeat)  # ownership needs it
        bells.hang(self.ring)
        clocks = self._clocks_start()
        log.info("runner_started", worker=self.me, site=self._site_name or "every site")
        try:
            ready()
            await self._stopping.wait()
        finally:
            bells.take_down(self.ring)
            await self._wind_up(clocks)
            log.info("runner_stopped", worker=self.me)

    def ring(self) -> None:
        """Wake up; from any thread."""
        self._from_anywhere(self._bell.set)

    def stop(self) -> None:
        """Take nothing new and come to an end; from any thread."""
        self._from_anywhere(self._stopping.set)
        self._from_anywhere(self._bell.set)

    def _from_anywhere(self, action: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)

    def _clocks_start(self) -> dict[str, asyncio.Task[None]]:
        config = self._config
        work: dict[str, Coroutine[Any, Any, None]] = {
            "ledger": self._ledger.run(),
            "claims": self._claim_forever(),
            "heartbeat": self._every(config.heartbeat_seconds, self._heartbeat),
            "leases": self._every(config.lease_seconds / 4, self._renew),
            "sweeper": self._every(config.sweep_seconds, self._sweep),
            "news": self._every(config.news_seconds, self.news.flush),
        }
        for source in self._sources:
            tick = partial(source.tick, self)
            work[f"source {source.name}"] = self._every(config.tick_seconds, tick)
        return {name: asyncio.create_task(coroutine) for name, coroutine in work.items()}

    async def _wind_up(self, clocks: dict[str, asyncio.Task[None]]) -> None:
        for name, task in clocks.items():
            if name not in ("ledger", "leases", "heartbeat"):
                task.cancel()
        started = monotonic()
        await self._guarded("sign_off", lambda: self.db(registry.worker_stopping, self.me))
        running = {*self._acting, *self._reading}
        if running:  # a login that is cut off would keep its slot on the BMC for a minute
            _, running = await asyncio.wait(running, timeout=self._config.drain_seconds)
        for task in running:
            task.cancel()
        log.info("runner_drained", worker=self.me, seconds=round(monotonic() - started, 2))
        await asyncio.gather(*running, return_exceptions=True)
        for task in clocks.values():
            task.cancel()
        await asyncio.gather(*clocks.values(), return_exceptions=True)
        await self.pool.aclose()
        await self._guarded("news", self.news.flush)
        await self._guarded("abandon", lambda: self.db(sweeper.abandon, self.me))
        await self._guarded("sign_off", lambda: self.db(registry.worker_gone, self.me))
        await asyncio.get_running_loop().run_in_executor(None, self._db.close)

    # ---------------------------------------------------------------- clocks

    async def _every(self, seconds: float, action: Callable[[], Awaitable[object]]) -> None:
        while True:
            await self._guarded(getattr(action, "__name__", "source"), action)
            await asyncio.sleep(seconds)

    async def _guarded(self, what: str, action: Callable[[], Awaitable[object]]) -> None:
        """A clock that stops would be worse than any single fault."""
        try:
            await action()
        except DATABASE_AWAY as error:
            if not self._database_away:
                log.error("database_fault", worker=self.me, during=what, error=type(error).__name__)
            self._database_away = True
        except Exception:
            log.exception("clock_fault", worker=self.me, during=what)
        else:
            if self._database_away and what == "_heartbeat":
                log.info("database_back", worker=self.me)
                self._database_away = False

    async def _heartbeat(self) -> None:
        await self.db(
            registry.worker_alive, self.me, self._site_name, _HOST, os.getpid(), self._totals()
        )

    def _totals(self) -> dict[str, int]:
        """Return what sources and engine counted, as plain numbers."""
        engine = getattr(self.pool, "counters", None)
        plain = asdict(engine) if isinstance(engine, Counters) else {}
        return dict(self._tally) | {f"engine_{k}": v for k, v in plain.items() if type(v) is int}

    async def _sweep(self) -> None:
        outcome = await self.db(partial(sweeper.sweep, gone_seconds=self._config.gone_seconds))
        self.news.changed(outcome)
        if outcome.won:
            log.warning("targets_swept", worker=self.me, targets=len(outcome.won))
            self._bell.set()

    async def _renew(self) -> None:
        held = [claimed.held for claimed in self._acting.values() if claimed.held.bmc_id]
        if held:
            claims = {claimed.claim for claimed in self._acting.values()}
            ids = [one.bmc_id for one in held]
            await self.db(leases_renew, claims, ids, self._config.lease_seconds)

    # ---------------------------------------------------------------- targets

    async def _claim_forever(self) -> None:
        while True:
            with_bell = asyncio.create_task(self._bell.wait())
            await asyncio.wait({with_bell}, timeout=self._config.tick_seconds)
            with_bell.cancel()
            self._bell.clear()
            await self._guarded("_claim", self._claim)

    async def _claim(self) -> None:
        claims = await self.db(claim_due, self.me, self._config)
        for claimed in claims.fresh:
            task = asyncio.create_task(Course(self._bench, claimed).act())
            self._acting[task] = claimed
            task.add_done_callback(self._acted)
        for claimed in claims.verifying:
            self.spawn(Course(self._bench, claimed).verify())
        if len(claims) >= self._config.claim_limit:
            self._bell.set()

    def _acted(self, task: asyncio.Task[None]) -> None:
        self._acting.pop(task, None)
        _report(task)
        self._bell.set()  # the BMC is free for its next order

    def _wake_in(self, seconds: float) -> None:
        if self._loop is not None:
            self._loop.call_later(seconds + 0.01, self._bell.set)

    # ---------------------------------------------------------------- for sources

    def db(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        return self._db.run(function, *args)

    def count(self, what: str) -> None:
        self._tally[what] += 1

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        task.add_done_callback(_report)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("conversation_broke", exc_info=error)


_HOST = socket.gethostname()
