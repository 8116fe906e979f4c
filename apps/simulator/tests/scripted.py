"""A client that does exactly what a test tells it: no retries, no clock, every step by hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from apps.bmc.rmcp import wire
from apps.bmc.rmcp.crypto import SUITES, Handshake, Keys
from apps.bmc.values import CipherSuite, Privilege
from apps.simulator.bmc import SimulatedBmc

CONSOLE_ID = 0xA0A1A2A3
CHASSIS = 0x00
APP = 0x06
GET_CHASSIS_STATUS = (CHASSIS, 0x01)
CHASSIS_CONTROL = (CHASSIS, 0x02)
CHASSIS_IDENTIFY = (CHASSIS, 0x04)
GET_DEVICE_ID = (APP, 0x01)
GET_SYSTEM_GUID = (APP, 0x37)
SET_PRIVILEGE = (APP, 0x3B)
CLOSE_SESSION = (APP, 0x3C)
OFF, ON, CYCLE, RESET, NMI, SOFT_OFF = range(6)


class _Mailbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.inbox.put_nowait(data)


class ScriptedClient:
    def __init__(self, bmc: SimulatedBmc, transport: asyncio.DatagramTransport, box: _Mailbox):
        self.bmc = bmc
        self._transport = transport
        self._inbox = box.inbox
        self._handshake: Handshake | None = None
        self._suite = SUITES[CipherSuite.SHA256]
        self.keys: Keys | None = None
        self.bmc_id = 0
        self.sequence = 0
        self.rq_seq = 0

    # ------------------------------------------------------------ raw

    def send(self, datagram: bytes) -> None:
        self._transport.sendto(datagram)

    async def receive(self) -> bytes:
        async with asyncio.timeout(5):
            return await self._inbox.get()

    async def ask(self, datagram: bytes) -> bytes:
        self.send(datagram)
        return await self.receive()

    @property
    def has_mail(self) -> bool:
        return not self._inbox.empty()

    async def is_dropped(self, datagram: bytes) -> str:
        """Send it, wait until the BMC saw it, and return why it was dropped ("" if it was not)."""
        before = self.bmc.counters.received
        self.send(datagram)
        await self.bmc.wait_until(lambda bmc: bmc.counters.received > before)
        return [seen.fate for seen in self.bmc.datagrams if seen.direction == "in"][-1]

    # ------------------------------------------------------------ before a session

    async def sessionless(self, netfn: int, command: int, data: bytes = b"") -> wire.Message:
        raw = await self.ask(wire.build_sessionless(wire.build_request(netfn, command, data, 1)))
        return wire.parse_message(wire.parse_envelope(raw).payload)

    async def open_session(
        self,
        suite: CipherSuite = CipherSuite.SHA256,
        privilege: int = Privilege.ADMINISTRATOR,
        algorithms: tuple[int, int, int] | None = None,
    ) -> wire.OpenResponse:
        self._suite = SUITES[suite]
        wanted = algorithms or self._suite.algorithms
        request = wire.OpenRequest(1, privilege, CONSOLE_ID, wanted)
        raw = await self.ask(wire.build_open_request(request))
        answer = wire.parse_open_response(wire.parse_envelope(raw).payload)
        self.bmc_id = answer.bmc_id
        return answer

    async def rakp1(
        self, username: str | None = None, role: int = Privilege.ADMINISTRATOR
    ) -> wire.Rakp2:
        name = (self.bmc.username if username is None else username).encode()
        role |= wire.ROLE_NAME_ONLY
        random = os.urandom(16)
        request = wire.Rakp1(2, self.bmc_id, random, role, name)
        raw = await self.ask(wire.build_rakp1(request))
        answer = wire.parse_rakp2(wire.parse_envelope(raw).payload)
        self._handshake = Handshake(
            self._suite, CONSOLE_ID, self.bmc_id, random, answer.bmc_random, answer.guid, role, name
        )
        return answer

    async def rakp3(self, password: str | None = None, kg: bytes = b"") -> wire.Rakp4:
        secret = (self.bmc.password if password is None else password).encode()
        handshake = cast(Handshake, self._handshake)
        request = wire.Rakp3(3, 0, self.bmc_id, handshake.rakp3_code(secret))
        raw = await self.ask(wire.build_rakp3(request))
        answer = wire.parse_rakp4(wire.parse_envelope(raw).payload)
        key = handshake.session_key(kg or secret)
        if answer.status == 0:
            assert answer.check == handshake.rakp4_check(key)
            self.keys = Keys(self._suite, key)
            self.sequence = self.rq_seq = 0
        return answer

    async def login(
        self,
        username: str | None = None,
        password: str | None = None,
        *,
        suite: CipherSuite = CipherSuite.SHA256,
        role: int = Privilege.ADMINISTRATOR,
        raise_privilege: bool = True,
    ) -> int:
        """Return 0, or the first status that was not 0."""
        if status := (await self.open_session(suite, role)).status:
            return status
        if status := (await self.rakp1(username, role)).status:
            return status
        if status := (await self.rakp3(password)).status:
            return status
        if raise_privilege:
            assert (await self.command(SET_PRIVILEGE, bytes((role,)))).code == 0
        return 0

    # ------------------------------------------------------------ in a session

    def sealed(
        self,
        command: tuple[int, int],
        data: bytes = b"",
        *,
        sequence: int | None = None,
        rq_seq: int | None = None,
    ) -> bytes:
        """The next datagram of the session, or one with the given numbers."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        if rq_seq is None:
            self.rq_seq = (self.rq_seq + 1) & 0x3F
            rq_seq = self.rq_seq
        message = wire.build_request(*command, data, rq_seq)
        return cast(Keys, self.keys).seal(self.bmc_id, sequence, message)

    def opened(self, datagram: bytes) -> wire.Message:
        session_id, _, raw = cast(Keys, self.keys).open(datagram)
        assert session_id == CONSOLE_ID
        return wire.parse_message(raw)

    async def command(self, command: tuple[int, int], data: bytes = b"") -> wire.Message:
        return self.opened(await self.ask(self.sealed(command, data)))

    async def control(self, action: int) -> int:
        code = (await self.command(CHASSIS_CONTROL, bytes((action,)))).code
        return cast(int, code)

    async def is_on(self) -> bool:
        return bool((await self.command(GET_CHASSIS_STATUS)).data[0] & 1)


@asynccontextmanager
async def scripted(bmc: SimulatedBmc) -> AsyncIterator[ScriptedClient]:
    transport, box = await asyncio.get_running_loop().create_datagram_endpoint(
        _Mailbox, remote_addr=(bmc.address, bmc.port)
    )
    try:
        yield ScriptedClient(bmc, transport, box)
    finally:
        transport.close()


@asynccontextmanager
async def logged_in(bmc: SimulatedBmc, **options: Any) -> AsyncIterator[ScriptedClient]:
    async with scripted(bmc) as client:
        assert await client.login(**options) == 0
        yield client
