"""A browser's end of a socket. `channels.testing` would need daphne, and nothing else does."""

from __future__ import annotations

from typing import Any

from asgiref.testing import ApplicationCommunicator

_Communicator: Any = ApplicationCommunicator
"""Typed by nobody yet."""


class LiveSocket:
    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        self.line = _Communicator(application, scope)

    async def connect(self) -> bool:
        await self.line.send_input({"type": "websocket.connect"})
        return bool((await self.line.receive_output(5))["type"] == "websocket.accept")

    async def say(self, text: str | None = None, data: bytes | None = None) -> None:
        await self.line.send_input({"type": "websocket.receive", "text": text, "bytes": data})

    async def frame(self) -> str:
        message = await self.line.receive_output(5)
        assert message["type"] == "websocket.send", message
        return str(message["text"])

    async def close_code(self, seconds: float = 6) -> int:
        message = await self.line.receive_output(seconds)
        while message["type"] != "websocket.close":
            message = await self.line.receive_output(seconds)
        return int(message["code"])

    async def is_silent(self, seconds: float) -> bool:
        return bool(await self.line.receive_nothing(timeout=seconds))

    async def leave(self) -> None:
        await self.line.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.line.wait(5)
