"""The in-memory channel layer for embedded mode, safe to use from worker threads."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.layers import InMemoryChannelLayer


class LoopSafeChannelLayer(InMemoryChannelLayer):
    """Deliver on the loop that receives.

    The stock layer puts into an asyncio queue of another loop's thread, which wakes up late; a send
    from anywhere else hops to the loop where consumers wait, and does not wait for it.
    """

    home: asyncio.AbstractEventLoop | None = None

    async def receive(self, channel: str) -> dict[str, Any]:
        self.home = asyncio.get_running_loop()
        message: dict[str, Any] = await super().receive(channel)
        return message

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self._at_home(super().send(channel, message))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await self._at_home(super().group_send(group, message))

    async def _at_home(self, work: Any) -> None:
        home = self.home
        if home is None or home is asyncio.get_running_loop() or not home.is_running():
            await work
        else:
            asyncio.run_coroutine_threadsafe(work, home)
