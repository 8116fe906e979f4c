"""Uses one simulated BMC with pyghmi, in a process of its own: pyghmi keeps threads and sockets.

Reads {"address", "port", "username", "password", "steps"} from standard input, prints a list.
A step is `status`, `identify`, `guid` or a power state of pyghmi (`on`, `off`, …).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pyghmi.ipmi.command import Command


def take_step(command: Command, step: str) -> Any:
    if step == "status":
        return command.get_power()["powerstate"]
    if step == "identify":
        command.set_identify(duration=5)
        return "identify"
    if step == "guid":
        return bytes(command.xraw_command(netfn=6, command=0x37)["data"]).hex()
    return command.set_power(step)


def main() -> None:
    wanted = json.load(sys.stdin)
    command = Command(
        bmc=wanted["address"],
        port=wanted["port"],
        userid=wanted["username"].encode(),
        password=wanted["password"].encode(),
        keepalive=False,
    )
    results = [take_step(command, step) for step in wanted["steps"]]
    command.ipmi_session.logout()
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
