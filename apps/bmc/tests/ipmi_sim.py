"""OpenIPMI's `ipmi_sim` as a foreign BMC, and a small proxy that can lose datagrams."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

from apps.bmc.rmcp import wire
from apps.bmc.values import Credential, Endpoint, Privilege, Secret
from apps.simulator.fru import BadFru, fru_image
from apps.simulator.profiles import PROFILES

ADDRESS = "127.0.0.1"
ACCOUNT = Credential("admin", Secret("secret123"), Privilege.ADMINISTRATOR)
START_SECONDS = 15.0

_CONF = """name "bmc"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid 0102030405060708090a0b0c0d0e0f10
  endlan
  user 1 false "" "" user 10 none md2 md5 straight
  user 2 true "admin" "secret123" admin 10 none md2 md5 straight
loadlib "{module}" "{log}"
"""
_EMU = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
{fru}
sel_enable 0x20 200 0x0a
mc_enable 0x20
"""


def missing() -> str:
    """Why there can be no ipmi_sim here; empty if there can."""
    for tool in ("ipmi_sim", "gcc"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian: openipmi, libopenipmi-dev, gcc)"
    if not Path("/usr/include/OpenIPMI/mcserv.h").exists():
        return "the headers of OpenIPMI are not installed (Debian: libopenipmi-dev)"
    return ""


def build_module(folder: Path) -> Path:
    """Compile the chassis module; ipmi_sim alone cannot switch power on."""
    module = folder / "chassis_mod.so"
    source = Path(__file__).with_name("chassis_mod.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", module, source], check=True)
    return module


class IpmiSim:
    """One process, one BMC; only this process is ever signalled."""

    def __init__(self, folder: Path, module: Path, *, has_fru: bool = True) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((ADDRESS, 0))
            self.endpoint = Endpoint(ADDRESS, probe.getsockname()[1])
        self._folder = folder
        self._log = folder / "executed"
        (folder / "state").mkdir()
        text = _CONF.format(address=ADDRESS, port=self.endpoint.port, module=module, log=self._log)
        (folder / "lan.conf").write_text(text)
        inventory = fru_image(PROFILES["hpe-ilo5"], 42, BadFru.NONE) + bytes(64)
        data = " ".join(map(hex, inventory))
        fru = f"mc_add_fru_data 0x20 0 {len(inventory)} data {data}" if has_fru else ""
        (folder / "bmc.emu").write_text(_EMU.format(fru=fru))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def executed(self) -> list[str]:
        """Every chassis control that really ran, in order."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    async def start(self) -> None:
        folder = self._folder
        self._process = subprocess.Popen(
            [
                "ipmi_sim",
                "-n",
                "-c",
                folder / "lan.conf",
                "-f",
                folder / "bmc.emu",
                "-s",
                folder / "state",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_SECONDS):
            while not await self._answers():
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _answers(self) -> bool:
        """A refused suite leaves nothing behind in the BMC, so it can be asked often."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((ADDRESS, self.endpoint.port))
            try:
                sock.send(wire.build_open_request(wire.OpenRequest(1, 0, 1, (3, 4, 1))))
                await asyncio.wait_for(loop.sock_recv(sock, 2048), 0.3)
            except (TimeoutError, OSError):
                return False
            return True


class LossyProxy(asyncio.DatagramProtocol):
    """Between engine and BMC: counts both ways and loses replies while told to."""

    def __init__(self, target: Endpoint) -> None:
        self._target = target.key
        self._client: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self.endpoint = target
        self.loses_replies = False
        self.loses_from: int | None = None
        """Begin to lose replies with the answer to this request, counted from 1."""
        self.requests = 0
        self.lost = 0

    async def __aenter__(self) -> LossyProxy:
        loop = asyncio.get_running_loop()
        made = await loop.create_datagram_endpoint(lambda: self, local_addr=(ADDRESS, 0))
        self._transport = made[0]
        self.endpoint = Endpoint(*self._transport.get_extra_info("sockname"))
        return self

    async def __aexit__(self, *args: object) -> None:
        assert self._transport is not None
        self._transport.close()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        if addr == self._target:
            if self.loses_replies:
                self.lost += 1
            else:
                self._transport.sendto(data, self._client)
        else:
            self._client = addr
            self.requests += 1
            self.loses_replies |= self.requests == self.loses_from
            self._transport.sendto(data, self._target)
