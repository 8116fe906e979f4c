"""The control door: a tiny HTTP/1.1 server on loopback, JSON only, one request per connection.

It has no password: whoever may open loopback connections on this machine may break simulated BMCs.
Requests of a web page are refused (Origin, foreign Host), so that no browser can be used for it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from apps.simulator.actions import MethodError, NotFoundError, find_action
from apps.simulator.errors import SimulatorError
from apps.simulator.fleet import Fleet

HEAD_LIMIT: Final = 8192
BODY_LIMIT: Final = 16384
REQUEST_SECONDS: Final = 5.0
CONNECTIONS: Final = 32


class Refusal(Exception):
    """An answer with a status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Request(NamedTuple):
    method: str
    path: str
    body: dict[str, Any]


def parse_control(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:9700`.

    :raises SimulatorError: not an address and port, or not loopback.
    """
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.IPv4Address(host)
        number = int(port)
    except ValueError:
        raise SimulatorError(
            f"{text!r} is not an address and port such as 127.0.0.1:9700."
        ) from None
    if not address.is_loopback or not 0 <= number <= 65535:
        raise SimulatorError("The control door opens on loopback only, port 0 to 65535.")
    return str(address), number


def _is_loopback_host(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _parse_head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    try:
        first, *lines = raw.decode("ascii").split("\r\n")
        method, target, version = first.split(" ")
        pairs = [line.split(":", 1) for line in lines if line]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "This is not HTTP.") from None
    if not version.startswith("HTTP/1."):
        raise Refusal(HTTPStatus.BAD_REQUEST, "Only HTTP/1.1 is spoken here.")
    return method, target, headers


def _check_origin(headers: dict[str, str]) -> None:
    if "origin" in headers or not _is_loopback_host(headers.get("host", "")):
        raise Refusal(HTTPStatus.FORBIDDEN, "Web pages may not use this door.")


def _body_length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "Send the body with a Content-Length.")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise Refusal(HTTPStatus.BAD_REQUEST, "Content-Length is a number.")
    if len(text) > 9 or int(text) > BODY_LIMIT:
        raise Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {BODY_LIMIT} bytes."
        )
    return int(text)


def _parse_body(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refusal(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "The body is a JSON object.")
    return body


async def _read_request(reader: asyncio.StreamReader) -> Request:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refusal(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too long."
        ) from None
    method, target, headers = _parse_head(raw)
    _check_origin(headers)
    body = await reader.readexactly(_body_length(headers))
    return Request(method, target.split("?")[0], _parse_body(body))


def _answer(fleet: Fleet, request: Request) -> dict[str, Any]:
    try:
        action, which = find_action(request.method, request.path)
        return action(fleet, which, request.body)
    except NotFoundError as error:
        raise Refusal(HTTPStatus.NOT_FOUND, str(error)) from None
    except MethodError as error:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, str(error)) from None
    except SimulatorError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None


def _response(status: HTTPStatus, content: dict[str, Any]) -> bytes:
    body = json.dumps(content).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class ControlDoor:
    """See `open_door`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._places = asyncio.Semaphore(CONNECTIONS)
        self.address = ""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    async def _reply_to(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with self._places, asyncio.timeout(REQUEST_SECONDS):
                request = await _read_request(reader)
            return _response(HTTPStatus.OK, _answer(self._fleet, request))
        except Refusal as refusal:
            return _response(refusal.status, {"error": str(refusal)})
        except TimeoutError:
            return _response(HTTPStatus.REQUEST_TIMEOUT, {"error": "The request came too slowly."})
        except asyncio.IncompleteReadError:
            return _response(HTTPStatus.BAD_REQUEST, {"error": "The request is incomplete."})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await self._reply_to(reader))
            async with asyncio.timeout(REQUEST_SECONDS):
                await writer.drain()
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def open_door(
    fleet: Fleet, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[ControlDoor]:
    """Serve the control door until the block ends; `door.port` says where if 0 was asked.

    :raises SimulatorError: not loopback, or the port is in use.
    """
    address, port = parse_control(f"{address}:{port}")
    door = ControlDoor(fleet)
    try:
        server = await asyncio.start_server(door.serve, address, port, limit=HEAD_LIMIT)
    except OSError as error:
        raise SimulatorError(f"Cannot listen on {address}:{port}: {error.strerror}.") from error
    async with server:
        door.address, door.port = server.sockets[0].getsockname()[:2]
        yield door
