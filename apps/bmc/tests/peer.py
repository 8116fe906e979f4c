"""A small scripted BMC on loopback UDP, made of the pure codec, as rude as a test wants."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_network
from types import TracebackType

from apps.bmc.policy import DestinationPolicy
from apps.bmc.pool import PoolConfig
from apps.bmc.rmcp import wire
from apps.bmc.rmcp.crypto import SUITES, Handshake, Keys, Suite
from apps.bmc.rmcp.parts import Timing
from apps.bmc.values import PREFERRED_SUITES, CipherSuite, Credential, Endpoint, Privilege, Secret

LOOPBACK = DestinationPolicy([ip_network("127.0.0.0/8"), ip_network("::1/128")])
QUICK = Timing(
    login_seconds=0.8,
    handshake_resend_seconds=0.08,
    handshake_fast_seconds=0.05,
    command_seconds=0.4,
    read_resend_seconds=0.1,
    silence_seconds=0.1,
    keepalive_seconds=0.0,
    close_seconds=0.2,
)
ADMIN = Credential("admin", Secret("secret123"), Privilege.ADMINISTRATOR)
STATUS = (0x00, 0x01)
CONTROL = (0x00, 0x02)
IDENTIFY = (0x00, 0x04)
DEVICE_ID = (0x06, 0x01)
GUID = (0x06, 0x37)
PRIVILEGE = (0x06, 0x3B)
CLOSE = (0x06, 0x3C)

DEVICE_ID_DATA = bytes((0x20, 0x81, 0x02, 0x10, 0x02, 0xBF, 0x57, 0x01, 0x00, 0x02, 0x01))

Reply = Callable[["Peer", bytes, bytes], list[bytes]]
"""(the peer, the request's datagram, the proper answer) -> what really goes back."""


def quick_config(**changes: object) -> PoolConfig:
    """Limits for tests: short times, no login budget unless the test is about it."""
    values: dict[str, object] = {
        "timing": QUICK,
        "suspicion_seconds": 0.2,
        "login_interval_seconds": 0.0,
        "wait_seconds": 5.0,
        "logout_seconds": 0.5,
        "breaker_failures": 100,
    }
    return PoolConfig(**(values | changes))  # type: ignore[arg-type]


class BmcSide:
    """One session as the BMC sees it."""

    def __init__(self, suite: Suite, console_id: int, bmc_id: int) -> None:
        self.suite = suite
        self.console_id = console_id
        self.bmc_id = bmc_id
        self.values: Handshake | None = None
        self.keys: Keys | None = None
        self.sequence = 0


class Peer:
    """Answers like a BMC; `lose_request`, `lose_reply` and `reply` change that per kind and count.

    Kinds are "open", "rakp1", "rakp3" and (netfn, command); counts start at 1.
    """

    def __init__(
        self,
        *,
        suites: tuple[CipherSuite, ...] = PREFERRED_SUITES,
        username: str = "admin",
        password: str = "secret123",  # noqa: S107
        kg: str = "",
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.suites = suites
        self.username = username.encode()
        self.password = password.encode()
        self.kg = kg.encode() or self.password
        self.address = address
        self.refusal_status = 0x11
        self.power_on = True
        self.level_limit = 4
        self.codes: dict[object, int] = {}
        self.data: dict[object, bytes] = {}
        self.delays: dict[object, float] = {}
        self.lose_request: Callable[[object, int], bool] = lambda kind, count: False
        self.lose_reply: Callable[[object, int], bool] = lambda kind, count: False
        self.replies: dict[object, Reply] = {}
        self.counts: Counter[object] = Counter()
        self.executed: list[int] = []
        self.guid = bytes(range(16))
        self._sessions: dict[int, BmcSide] = {}
        self._console: tuple[str, int] = ("", 0)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((address, port))
        self.port = int(self._socket.getsockname()[1])
        self._changed = asyncio.Event()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.address, self.port)

    @property
    def received(self) -> int:
        return self.counts.total()

    @property
    def sessions_open(self) -> int:
        return sum(side.keys is not None for side in self._sessions.values())

    async def __aenter__(self) -> Peer:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def restart(self) -> None:
        """Forget every session, as a BMC does that restarts."""
        self._sessions.clear()

    async def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until a condition holds; it is looked at after every datagram."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def send(self, datagram: bytes) -> None:
        if self._socket.fileno() >= 0:
            self._socket.sendto(datagram, self._console)

    def sealed(self, message: bytes, sequence: int | None = None) -> bytes:
        """Seal a message in the newest session, as this BMC would."""
        side = [s for s in self._sessions.values() if s.keys is not None][-1]
        if sequence is None:
            side.sequence += 1
            sequence = side.sequence
        assert side.keys is not None
        return side.keys.seal(side.console_id, sequence, message)

    # ------------------------------------------------------------ inside

    def _read(self) -> None:
        while True:
            try:
                datagram, self._console = self._socket.recvfrom(2048)
            except BlockingIOError:
                break
            self._take(datagram)
        self._changed.set()

    def _take(self, datagram: bytes) -> None:
        envelope = wire.parse_envelope(datagram)
        if envelope.flags:
            self._command(datagram, self._sessions.get(envelope.session_id))
            return
        kind, make = {
            wire.PAYLOAD_OPEN_REQUEST: ("open", self._open),
            wire.PAYLOAD_RAKP1: ("rakp1", self._rakp1),
            wire.PAYLOAD_RAKP3: ("rakp3", self._rakp3),
        }[envelope.payload_type]
        self.counts[kind] += 1
        if not self.lose_request(kind, self.counts[kind]):
            self._answer(kind, datagram, make(envelope.payload))

    def _answer(self, kind: object, request: bytes, proper: bytes) -> None:
        replies = [proper]
        if kind in self.replies:
            replies = self.replies[kind](self, request, proper)
        if self.lose_reply(kind, self.counts[kind]):
            return
        delay = self.delays.get(kind, 0.0)
        for reply in replies:
            if delay:
                asyncio.get_running_loop().call_later(delay, self.send, reply)
            else:
                self.send(reply)

    def _open(self, payload: bytes) -> bytes:
        request = wire.parse_open_request(payload)
        suite = next(
            (SUITES[s] for s in self.suites if SUITES[s].algorithms == request.algorithms), None
        )
        if suite is None:
            return wire.build_open_response(
                wire.OpenResponse(
                    request.tag, self.refusal_status, 0, request.console_id, 0, (0, 0, 0)
                )
            )
        bmc_id = int.from_bytes(os.urandom(3), "little") + 1
        self._sessions[bmc_id] = BmcSide(suite, request.console_id, bmc_id)
        return wire.build_open_response(
            wire.OpenResponse(request.tag, 0, 0, request.console_id, bmc_id, suite.algorithms)
        )

    def _rakp1(self, payload: bytes) -> bytes:
        request = wire.parse_rakp1(payload)
        side = self._sessions.get(request.bmc_id)
        if side is None:
            return wire.build_rakp2(wire.Rakp2(request.tag, 0x02, 0, b"", b"", b""))
        if request.username != self.username:
            return wire.build_rakp2(wire.Rakp2(request.tag, 0x0D, side.console_id, b"", b"", b""))
        side.values = Handshake(
            side.suite,
            side.console_id,
            side.bmc_id,
            request.console_random,
            os.urandom(16),
            self.guid,
            request.role,
            request.username,
        )
        code = side.values.rakp2_code(self.password)
        return wire.build_rakp2(
            wire.Rakp2(request.tag, 0, side.console_id, side.values.bmc_random, self.guid, code)
        )

    def _rakp3(self, payload: bytes) -> bytes:
        request = wire.parse_rakp3(payload)
        side = self._sessions.get(request.bmc_id)
        if side is None or side.values is None:
            return wire.build_rakp4(wire.Rakp4(request.tag, 0x02, 0, b""))
        if request.auth_code != side.values.rakp3_code(self.password):
            return wire.build_rakp4(wire.Rakp4(request.tag, 0x0F, side.console_id, b""))
        key = side.values.session_key(self.kg)
        side.keys = Keys(side.suite, key)
        return wire.build_rakp4(
            wire.Rakp4(request.tag, 0, side.console_id, side.values.rakp4_check(key))
        )

    def _command(self, datagram: bytes, side: BmcSide | None) -> None:
        if side is None or side.keys is None:
            self.counts["stale"] += 1
            return
        _, _, raw = side.keys.open(datagram)
        request = wire.parse_message(raw)
        kind = (request.netfn, request.command)
        self.counts[kind] += 1
        if self.lose_request(kind, self.counts[kind]):
            return
        code, data = self._run(kind, request.data)
        answer = wire.build_response(request.netfn, request.command, code, data, request.rq_seq)
        side.sequence += 1
        self._answer(kind, datagram, side.keys.seal(side.console_id, side.sequence, answer))
        if kind == CLOSE:
            del self._sessions[side.bmc_id]

    def _run(self, kind: tuple[int, int], data: bytes) -> tuple[int, bytes]:
        if kind in self.codes:
            return self.codes[kind], b""
        if kind in self.data:
            return 0, self.data[kind]
        if kind == PRIVILEGE:
            return 0, bytes((min(data[0], self.level_limit),))
        if kind == CONTROL:
            self.executed.append(data[0])
            self.power_on = data[0] not in (0, 5)
        answers = {
            STATUS: bytes((int(self.power_on), 0x10, 0x40)),
            DEVICE_ID: DEVICE_ID_DATA,
            GUID: self.guid,
        }
        return 0, answers.get(kind, b"")
