"""Group commit: the moves of many conversations, one transaction."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Final

import structlog

from apps.jobs import books
from apps.jobs.books import Move, Outcome
from apps.jobs.worker.db import DATABASE_AWAY, DbThreads

log = structlog.get_logger(__name__)

FIRST_BACKOFF_SECONDS: Final = 0.2
LONGEST_BACKOFF_SECONDS: Final = 2.0
LARGEST_BATCH: Final = 1000

_Entry = tuple[Move, "asyncio.Future[bool]"]


class Ledger:
    """`won = await ledger.move(Move(…))`: True only when the move is committed and was ours.

    While the database is away nothing is lost: the batch is tried again, under the same fresh
    token, so a commit whose answer got lost is recognised instead of repeated.
    """

    def __init__(self, db: DbThreads, tell: Callable[[Outcome], None]) -> None:
        self._db = db
        self._tell = tell
        self._entries: list[_Entry] = []
        self._wake = asyncio.Event()

    async def move(self, move: Move) -> bool:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._entries.append((move, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(0)  # whoever is ready now joins this transaction
            batch = self._entries[:LARGEST_BATCH]
            del self._entries[: len(batch)]
            if not self._entries:
                self._wake.clear()
            await self._write(batch)

    async def _write(self, batch: list[_Entry]) -> None:
        moves = [move for move, _ in batch]
        fresh, is_retry, backoff = uuid.uuid4(), False, FIRST_BACKOFF_SECONDS
        while True:
            try:
                outcome = await self._db.run(books.apply, moves, fresh=fresh, is_retry=is_retry)
                break
            except DATABASE_AWAY as error:
                log.warning("ledger_waits", moves=len(batch), error=type(error).__name__)
                is_retry = True
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            except Exception as error:  # noqa: BLE001  handed to the conversation it belongs to
                await self._write_apart(batch, error)
                return
        books.follow(moves, outcome.won, fresh)
        self._tell(outcome)
        for move, future in batch:
            if not future.done():
                future.set_result(move.held.pk in outcome.won)

    async def _write_apart(self, batch: list[_Entry], error: Exception) -> None:
        """One bad move must not hold up the others."""
        if len(batch) == 1:
            move, future = batch[0]
            log.error("move_failed", target_id=move.held.pk, to=move.to, exc_info=error)
            if not future.done():
                future.set_exception(error)
            return
        for entry in batch:
            await self._write([entry])
