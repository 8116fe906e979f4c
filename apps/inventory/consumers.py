"""The socket behind live pages: it says which servers are on screen, and gets their fragments."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from enum import IntEnum
from itertools import chain
from typing import Any, Final, NamedTuple

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from apps.core.events import ACCESS_EVENT, cluster_group, person_group
from apps.inventory.fragments import Fragments
from apps.inventory.live import (
    PANELS,
    RACK_ROW,
    RACK_SLOT,
    ROW,
    STATE,
    Key,
    gone_render,
    language_of,
    parts_of,
    signed_in,
    visible_now,
)
from apps.inventory.services.reading import servers_watch
from apps.inventory.tables import DEFAULT_KEYS, MOST_COLUMNS

log = structlog.get_logger(__name__)

MOST_SERVERS: Final = 200
MOST_CHARACTERS: Final = 4000
RENDER_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 4.0
"""A disabled or signed-out person is gone within five seconds."""
WATCH_SECONDS: Final = 15.0
SEND_SECONDS: Final = 10.0
"""Who does not take a frame for so long is dropped, not buffered."""
ASK_SECONDS: Final = 0.2
"""A page asks again after a swap, not more often."""
MOST_ASKED_EARLY: Final = 20
PAGES: Final = {"list": (ROW,), "server": (STATE, PANELS), "rack": (RACK_ROW, RACK_SLOT)}


class Close(IntEnum):
    BAD_MESSAGE = 4400
    SIGNED_OUT = 4401
    TOO_SLOW = 4408
    FAILED = 4500


class BadMessage(Exception):
    """The page sent something that is not a subscription."""


class LiveConsumer(AsyncWebsocketConsumer):
    """One page's socket. Messages only mark ids; one task of its own checks, renders and sends,
    so that at most one frame is under way and nothing queues up behind a slow reader."""

    async def connect(self) -> None:
        self.session_key: str | None = getattr(self.scope.get("session"), "session_key", None)
        self.shown: dict[int, int | None] = {}
        self.groups_joined: set[str] = set()
        self.dirty: set[int] = set()
        self.gone: set[int] = set()
        self.marked_at = 0.0
        self.pages: tuple[str, ...] = (ROW,)
        self.columns: tuple[str, ...] = DEFAULT_KEYS
        self.wake = asyncio.Event()
        self.turn = asyncio.Lock()
        self.work: asyncio.Task[None] | None = None
        self.asked_at = 0.0
        self.asked_early = 0
        # Accepted first: a browser reads the code of an open socket only.
        await self.accept()
        # Joined before it asks: what happens in between is told.
        own = self.scope.get("user")
        self.own_group = person_group(getattr(own, "pk", None) or 0)
        await self.channel_layer.group_add(self.own_group, self.channel_name)
        person = await database_sync_to_async(signed_in)(self.session_key)
        self.lang = language_of(dict(self.scope), person)
        if person is None:
            await self.close(Close.SIGNED_OUT, "signed out")
            return
        self.zone = person.time_zone
        self.work = asyncio.create_task(self._work())

    async def disconnect(self, code: int) -> None:
        if self.work is not None and self.work is not asyncio.current_task():
            self.work.cancel()
            with suppress(asyncio.CancelledError):
                await self.work
        for group in {*self.groups_joined, self.own_group}:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.work is None:
            return
        try:
            ids, pages, columns = subscription_parse(text_data)
            self._pace()
        except BadMessage as error:
            await self.close(Close.BAD_MESSAGE, str(error))
            return
        async with self.turn:
            found = await database_sync_to_async(visible_now)(self.session_key, ids)
            if found is None:
                await self.close(Close.SIGNED_OUT, "signed out")
                return
            self.pages, self.columns = pages, columns
            self.gone.clear()
            await self._show(found)
        await database_sync_to_async(servers_watch)(list(found))
        # What changed between the page and this moment was told to nobody.
        self._mark(found)

    async def live_changed(self, message: dict[str, Any]) -> None:
        """Something happened in a cluster; `ids` are the servers, of which some may be shown. Or
        to this person: then the database is asked at once."""
        if message.get("event") == "servers":
            self._mark(pk for pk in message.get("ids", ()) if pk in self.shown)
        elif message.get("event") == ACCESS_EVENT:
            self.wake.set()

    # ---------------------------------------------------------------- the socket's own task

    async def _work(self) -> None:
        try:
            await self._run()
        except Exception as error:  # noqa: BLE001  a socket that follows nothing must not stay open
            log.warning("live_socket_failed", error=type(error).__name__)
            await self.close(Close.FAILED, "try again")

    async def _run(self) -> None:
        checked = watched = time.monotonic()
        rendered = 0.0
        while True:
            due = min(checked + CHECK_SECONDS, watched + WATCH_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), max(0.0, due - time.monotonic()))
            if self.wake.is_set():
                await asyncio.sleep(max(0.0, rendered + RENDER_SECONDS - time.monotonic()))
            self.wake.clear()  # before it asks: what comes while it asks wakes it again
            async with self.turn:
                if not await self._check():
                    return
            checked = time.monotonic()
            if self.dirty or self.gone:
                rendered = checked
                if not await self._render():
                    return
            if checked >= watched + WATCH_SECONDS:
                watched = checked
                await database_sync_to_async(servers_watch)(list(self.shown))

    async def _check(self) -> bool:
        """Ask the database what this person may see now; False when the socket was closed."""
        found = await database_sync_to_async(visible_now)(self.session_key, list(self.shown))
        if found is None:
            await self.close(Close.SIGNED_OUT, "signed out")
            return False
        lost = set(self.shown) - set(found)
        self.gone |= lost
        moved = {pk for pk, cluster in found.items() if self.shown.get(pk) != cluster}
        if lost or moved:
            await self._show({pk: cluster for pk, cluster in found.items() if pk in self.shown})
            self._mark(moved)
        return True

    async def _render(self) -> bool:
        """Send what changed; False when the reader was too slow and is dropped."""
        ids, gone = sorted(self.dirty & set(self.shown)), sorted(self.gone)
        self.dirty.clear()
        self.gone.clear()
        try:
            for html in await self._frames(ids, gone):
                await asyncio.wait_for(self.send(text_data=html), SEND_SECONDS)
        except TimeoutError:
            log.info("live_reader_dropped")
            await self.close(Close.TOO_SLOW, "too slow")
            return False
        return True

    async def _frames(self, ids: list[int], gone: list[int]) -> list[str]:
        """One frame for each part of the page: a browser that parses a table's row and a form from
        one text throws half of them away."""
        parts = parts_of(self.pages)
        keys = {part: [self._key(part, pk) for pk in ids] for part in parts}
        found = await Fragments.here().get(chain.from_iterable(keys.values()), self.marked_at)
        frames = [
            "".join(found.get(key, "") for key in keys[part])
            + gone_render(part, gone, self.columns)
            for part in parts
        ]
        return [frame for frame in frames if frame]

    def _key(self, part: str, pk: int) -> Key:
        columns = self.columns if part == ROW else ()
        return Key(part, pk, self.lang, columns, self.zone)

    # ---------------------------------------------------------------- helpers

    def _mark(self, ids: Any) -> None:
        self.dirty.update(ids)
        if self.dirty:
            self.marked_at = time.monotonic()
            self.wake.set()

    async def _show(self, found: dict[int, int | None]) -> None:
        """Follow these servers and no others."""
        self.shown = found
        wanted = {cluster_group(cluster) for cluster in found.values()}
        for group in wanted - self.groups_joined:
            await self.channel_layer.group_add(group, self.channel_name)
        for group in self.groups_joined - wanted:
            await self.channel_layer.group_discard(group, self.channel_name)
        self.groups_joined = wanted

    def _pace(self) -> None:
        """:raises BadMessage: the page asks again and again without a breath."""
        now = time.monotonic()
        self.asked_early = self.asked_early + 1 if now - self.asked_at < ASK_SECONDS else 0
        self.asked_at = now
        if self.asked_early > MOST_ASKED_EARLY:
            raise BadMessage("too many messages")


class Subscription(NamedTuple):
    """The servers on screen, the fragments that show them, and the columns of their rows."""

    ids: list[int]
    pages: tuple[str, ...]
    columns: tuple[str, ...]


def subscription_parse(text: str | None) -> Subscription:
    """Read `{"subscribe": [ids], "page": "list" | "server" | "rack", "columns": [keys]}`.

    Without a page, one single server gets every fragment, more get rows. Without columns, rows have
    the usual ones.

    :raises BadMessage:
    """
    if text is None or len(text) > MOST_CHARACTERS:
        raise BadMessage("not a subscription")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("not JSON") from None
    ids = message.get("subscribe") if isinstance(message, dict) else None
    if not isinstance(ids, list) or any(type(pk) is not int for pk in ids):
        raise BadMessage("subscribe must be a list of numbers")
    if len(ids) > MOST_SERVERS:
        raise BadMessage("too many servers")
    if any(not 0 < pk < 2**63 for pk in ids):
        raise BadMessage("no such number")
    return Subscription(ids, _pages(message, ids), _columns(message))


def _pages(message: dict[str, Any], ids: list[int]) -> tuple[str, ...]:
    page = message.get("page")
    if page is None:
        return (ROW, STATE, PANELS) if len(ids) == 1 else (ROW,)
    if not isinstance(page, str) or page not in PAGES:
        raise BadMessage("no such page")
    return PAGES[page]


def _columns(message: dict[str, Any]) -> tuple[str, ...]:
    keys = message.get("columns", list(DEFAULT_KEYS))
    if not isinstance(keys, list) or any(type(key) is not str for key in keys):
        raise BadMessage("columns must be a list of names")
    if len(keys) > MOST_COLUMNS:
        raise BadMessage("too many columns")
    return tuple(keys)
