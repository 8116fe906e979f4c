"""A fleet of OpenIPMI `ipmi_sim` processes, one BMC each: real third-party BMCs on loopback.

usage: python -m bench.ipmi_sim_fleet start N | stop | hosts N | kill INDEX | restart INDEX

Needs Debian's `openipmi libopenipmi-dev gcc`. State lies in a folder of the temporary directory;
only processes whose pid this module wrote down, and whose command line still names that folder,
are signalled. All addresses are in 127.1.0.0/16, port 623 (as root) or `--port`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from apps.bmc.tests.ipmi_sim import build_module

USERNAME: Final = "admin"
PASSWORD: Final = "secret123"

_CONF: Final = """name "bmc{index}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid {guid:032x}
  endlan
  user 1 false "" "" user 10 none md2 md5 straight
  user 2 true "{username}" "{password}" admin 60 none md2 md5 straight
loadlib "{module}" ""
"""
_EMU: Final = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 200 0x0a
mc_enable 0x20
"""


@dataclass(slots=True)
class IpmiSimFleet:
    network: str = "127.1"
    port: int = 623
    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()) / "bmc-portal-fleet")

    def address(self, index: int) -> str:
        return f"{self.network}.{index // 250}.{index % 250 + 1}"

    def start(self, count: int, settle_seconds: float = 1.0) -> None:
        """Start what is not running yet of the first `count` BMCs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        build_module(self.folder)
        live = dict(self.pids())
        for index in range(count):
            if index not in live:
                self.start_one(index)
        time.sleep(settle_seconds)

    def start_one(self, index: int) -> None:
        place = self.folder / f"b{index}"
        (place / "state").mkdir(parents=True, exist_ok=True)
        conf = _CONF.format(
            index=index,
            address=self.address(index),
            port=self.port,
            guid=index + 1,
            username=USERNAME,
            password=PASSWORD,
            module=self.folder / "chassis_mod.so",
        )
        (place / "lan.conf").write_text(conf)
        (place / "bmc.emu").write_text(_EMU)
        command = [
            "ipmi_sim",
            "-n",
            "-c",
            str(place / "lan.conf"),
            "-f",
            str(place / "bmc.emu"),
            "-s",
            str(place / "state"),
        ]
        with open(place / "log", "w") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (place / "pid").write_text(str(process.pid))

    def pids(self) -> Iterator[tuple[int, int]]:
        """Yield (index, pid) of the processes that are still ours."""
        for place in self.folder.glob("b*"):
            try:
                pid = int((place / "pid").read_text())
                command = Path(f"/proc/{pid}/cmdline").read_text()
            except (OSError, ValueError):
                continue
            if str(place / "lan.conf") in command:
                yield int(place.name[1:]), pid

    def kill(self, index: int) -> None:
        pid = dict(self.pids()).get(index)
        if pid:
            os.kill(pid, signal.SIGKILL)

    def restart(self, index: int) -> None:
        self.kill(index)
        time.sleep(0.1)
        self.start_one(index)

    def stop(self) -> None:
        for _, pid in self.pids():
            os.kill(pid, signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["start", "stop", "hosts", "kill", "restart"])
    parser.add_argument("number", type=int, nargs="?", default=1)
    parser.add_argument("--port", type=int, default=623)
    options = parser.parse_args()
    fleet = IpmiSimFleet(port=options.port)
    if options.verb == "start":
        fleet.start(options.number)
        print(len(list(fleet.pids())), "running")
    elif options.verb == "hosts":
        print("\n".join(fleet.address(i) for i in range(options.number)))
    elif options.verb == "stop":
        fleet.stop()
    else:
        getattr(fleet, options.verb)(options.number)


if __name__ == "__main__":
    main()
