"""`manage.py simulate_bmcs run|list|fault|power|restart`: a simulated fleet and its control."""

from __future__ import annotations

import asyncio
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.simulator.door import parse_control
from apps.simulator.door_client import ask_door
from apps.simulator.errors import SimulatorError
from apps.simulator.faults import FAULT_NAMES, check_names, value_from_word
from apps.simulator.run import DEFAULT_CONTROL, RunOptions, profiles_by_name, run_fleet

CONTROL_DEFAULT = f"{DEFAULT_CONTROL[0]}:{DEFAULT_CONTROL[1]}"
WHICH_HELP = "index, address, or all"


def _add_run(parser: ArgumentParser) -> None:
    rest = RunOptions()
    parser.add_argument("--count", type=int, default=rest.count)
    parser.add_argument("--network", default=rest.network, help="inside 127.0.0.0/8")
    parser.add_argument("--port", type=int, default=rest.port, help="UDP; 0 takes a free one")
    parser.add_argument("--username", default=rest.username)
    parser.add_argument("--control", default=CONTROL_DEFAULT, help="loopback HTTP door, or none")
    parser.add_argument("--log", type=Path, help="write every datagram to this file, JSON lines")
    parser.add_argument(
        "--credentials-file",
        type=Path,
        help="written at start, 0600: user, password, BMCs; its password is kept on the next start",
    )
    parser.add_argument("--password-file", type=Path, help="instead of a generated password")
    parser.add_argument("--profile", default="mixed", help="mixed, or names with commas")
    parser.add_argument("--lag", type=float, default=rest.lag_scale, help="1 = as real, 0 = none")
    parser.add_argument("--off-every", type=int, default=0, help="every Nth server starts off")
    parser.add_argument("--seed", type=int, default=0, help="of the random faults")


def _run_options(options: dict[str, Any]) -> RunOptions:
    control = options["control"]
    if not 0 <= options["port"] <= 65535:
        raise SimulatorError("The port is from 0 to 65535.")
    if not 0 <= options["lag"] <= 100:
        raise SimulatorError("The lag is a factor from 0 to 100.")
    return RunOptions(
        count=options["count"],
        network=options["network"],
        port=options["port"],
        username=options["username"],
        control=None if control == "none" else parse_control(control),
        log_file=options["log"],
        credentials_file=options["credentials_file"],
        password_file=options["password_file"],
        profiles=profiles_by_name(options["profile"]),
        lag_scale=options["lag"],
        off_every=max(options["off_every"], 0),
        seed=options["seed"],
    )


class Command(BaseCommand):
    help = "Run a fleet of simulated BMCs, or change one that runs."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="what", required=True)
        _add_run(kinds.add_parser("run", help="start a fleet; Ctrl-C ends it"))
        remote = {
            "list": kinds.add_parser("list", help="state and counters"),
            "fault": kinds.add_parser(
                "fault", help="switch a fault: fault 3 silent on, fault all reply_loss 1 --for 8"
            ),
            "power": kinds.add_parser("power", help="press the button at the machine"),
            "restart": kinds.add_parser("restart", help="restart the BMC: sessions are forgotten"),
        }
        for subparser in remote.values():
            subparser.add_argument("--control", default=CONTROL_DEFAULT)
            nargs = "?" if subparser is remote["list"] else None
            subparser.add_argument("which", nargs=nargs, default="all", help=WHICH_HELP)
        fault = remote["fault"]
        fault.add_argument("name", help=f"clear, or one of: {', '.join(FAULT_NAMES)}")
        fault.add_argument("value", nargs="?", help="on, off, a number or a word; default on")
        fault.add_argument("--for", type=float, dest="seconds", help="heals after so many seconds")
        remote["power"].add_argument("state", choices=["on", "off"])
        remote["restart"].add_argument("--down", type=float, default=0.0, help="seconds of silence")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["what"] == "run":
                self._run(options)
            else:
                self._ask(options)
        except SimulatorError as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _run(self, options: dict[str, Any]) -> None:
        os.umask(0o077)
        asyncio.run(run_fleet(_run_options(options), self._say))

    def _ask(self, options: dict[str, Any]) -> None:
        control = parse_control(options["control"])
        method, tail, body = _request_for(options)
        which = str(options["which"]).replace("/", "")
        answer = ask_door(control, method, f"/bmcs/{which}{tail}", body)
        for bmc in answer["bmcs"]:
            faults = " ".join(f"{name}={value}" for name, value in bmc["faults"].items())
            executed = " ".join(f"{name}={count}" for name, count in bmc["executed"].items())
            self._say(
                f"{bmc['index']:>5} {bmc['address']:<15} {bmc['profile']:<18} {bmc['power']:<3} "
                f"sessions={bmc['open_sessions']} logins={bmc['logins']} "
                f"executed[{executed}] faults[{faults}]"
            )


def _request_for(options: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return method, the path's tail and body for the control door."""
    what = options["what"]
    if what == "list":
        return "GET", "", {}
    if what == "power":
        return "POST", "/power", {"state": options["state"]}
    if what == "restart":
        return "POST", "/restart", {"down_seconds": options["down"]}
    name, value, seconds = options["name"], options["value"], options["seconds"]
    if name == "clear":
        return "DELETE", "/faults", {"names": [value] if value else []}
    check_names([name])
    body: dict[str, Any] = {name: True if value is None else value_from_word(value)}
    if seconds is not None:
        body["duration_seconds"] = seconds
    return "POST", "/faults", body
