"""Fragments of live pages: rendered once for a change, for all sockets of this process.

Nothing in a fragment depends on who looks; each socket asks only for servers it may show.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import ClassVar, Final, Self
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from apps.inventory.live import Key, fragments_render

MOST_KEPT: Final = 10_000


class Fragments:
    """What was rendered last, and when that began. One instance for each event loop."""

    _by_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Fragments]] = (
        WeakKeyDictionary()
    )

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[float, str]] = OrderedDict()
        self._turn = asyncio.Lock()
        self.rendered_count = 0

    @classmethod
    def here(cls) -> Self:
        """Return the one of the running loop."""
        loop = asyncio.get_running_loop()
        return cls._by_loop.setdefault(loop, cls())  # type: ignore[return-value]  # no subclasses

    async def get(self, keys: Iterable[Key], since: float) -> dict[Key, str]:
        """Return fragments whose rendering began at `since` (`time.monotonic()`) or later.

        Who asks while somebody else renders waits, and mostly finds what it wants then. Servers
        that are gone are missing in the answer.
        """
        wanted = list(keys)
        async with self._turn:
            missing = [key for key in wanted if self._kept.get(key, (-1.0, ""))[0] < since]
            if missing:
                began = time.monotonic()
                fresh = await database_sync_to_async(fragments_render)(missing)
                self.rendered_count += len(fresh)
                for key in missing:
                    # What is gone is kept as nothing, so that nobody asks for it again.
                    self._kept[key] = (began, fresh.get(key, ""))
                    self._kept.move_to_end(key)
            found = {key: self._kept[key][1] for key in wanted}
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return {key: html for key, html in found.items() if html}
