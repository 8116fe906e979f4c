"""Fragments are rendered once for a change, whoever shows them, and never older than the change."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.core.testing import make_server
from apps.inventory.choices import Power
from apps.inventory.fragments import Fragments
from apps.inventory.live import ROW, Key
from apps.inventory.services import PowerReading, status_record
from apps.inventory.tests.test_consumers import socket, subscribe

pytestmark = pytest.mark.django_db(transaction=True)
db = sync_to_async
SOCKETS = 12


async def test_many_sockets_share_one_rendering(web: Any, readonly: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    async with AsyncExitStack() as stack:
        lives = [await stack.enter_async_context(socket(readonly)) for _ in range(SOCKETS)]
        for live in lives:
            await subscribe(live, server.pk, page="list")
            await live.frame()
        before = Fragments.here().rendered_count
        await db(status_record)([PowerReading(server.pk, Power.ON)])
        frames = [await live.frame() for live in lives]
    assert all("is-on" in frame for frame in frames)
    # Those that were marked while the first one was rendered may want one more.
    assert Fragments.here().rendered_count - before <= 3


async def test_what_was_rendered_before_a_change_is_not_shown_after_it(web: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    key, shelf = Key(ROW, server.pk, "en"), Fragments()
    first = await shelf.get([key], time.monotonic())
    again = await shelf.get([key], 0.0)
    assert first == again
    assert shelf.rendered_count == 1
    await db(status_record)([PowerReading(server.pk, Power.ON)])
    fresh = await shelf.get([key], time.monotonic())
    assert "is-on" in fresh[key]
    assert "is-on" not in first[key]


async def test_each_language_has_its_own(web: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    keys = [Key(ROW, server.pk, lang) for lang in ("en", "zh-hans")]
    found = await Fragments().get(keys, 0.0)
    assert "Unknown" in found[keys[0]]
    assert "未知" in found[keys[1]]


async def test_a_server_that_is_gone_has_no_fragment(db: Any) -> None:
    assert await Fragments().get([Key(ROW, 2**40, "en")], 0.0) == {}


async def test_those_who_ask_at_the_same_time_wait_for_one_rendering(web: Any) -> None:
    server = await sync_to_async(make_server)(name="web-1", cluster=web)
    key, shelf, since = Key(ROW, server.pk, "en"), Fragments(), time.monotonic()
    found = await asyncio.gather(*(shelf.get([key], since) for _ in range(50)))
    assert shelf.rendered_count == 1
    assert len({one[key] for one in found}) == 1
