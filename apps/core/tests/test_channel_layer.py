from __future__ import annotations

import asyncio
import threading
import time

from apps.core.channel_layer import LoopSafeChannelLayer


async def test_a_send_from_another_thread_wakes_the_receiver() -> None:
    layer = LoopSafeChannelLayer()
    channel = await layer.new_channel()
    await layer.group_add("servers", channel)
    receiver = asyncio.ensure_future(layer.receive(channel))
    while layer.home is None:
        await asyncio.sleep(0)
    sent_at: list[float] = []

    def send() -> None:
        sent_at.append(time.monotonic())
        asyncio.run(layer.group_send("servers", {"type": "live.changed", "ids": [1]}))

    thread = threading.Thread(target=send)
    thread.start()
    message = await asyncio.wait_for(receiver, 5)
    thread.join()
    assert message["ids"] == [1]
    assert time.monotonic() - sent_at[0] < 2
