"""Runs a fleet in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.bmc.values import PowerState
from apps.simulator.credentials import choose_password, write_credentials
from apps.simulator.door import open_door
from apps.simulator.errors import SimulatorError
from apps.simulator.fleet import DEFAULT_NETWORK, DEFAULT_PORT, DEFAULT_USERNAME, Fleet
from apps.simulator.profiles import DEFAULT_PROFILES, PROFILES, Profile

DEFAULT_CONTROL: Final = ("127.0.0.1", 9700)
LOG_SIZE: Final = 64


@dataclass(frozen=True, slots=True)
class RunOptions:
    count: int = 20
    network: str = DEFAULT_NETWORK
    port: int = DEFAULT_PORT
    username: str = DEFAULT_USERNAME
    control: tuple[str, int] | None = DEFAULT_CONTROL
    log_file: Path | None = None
    credentials_file: Path | None = None
    password_file: Path | None = None
    profiles: Sequence[Profile] = DEFAULT_PROFILES
    lag_scale: float = 1.0
    off_every: int = 0
    seed: int = 0

    def power_of(self, index: int) -> PowerState:
        if self.off_every and index % self.off_every == self.off_every - 1:
            return PowerState.OFF
        return PowerState.ON


def profiles_by_name(names: str) -> Sequence[Profile]:
    """Read `mixed` or names with commas.

    :raises SimulatorError:
    """
    if names == "mixed":
        return DEFAULT_PROFILES
    try:
        return [PROFILES[name.strip()] for name in names.split(",")]
    except KeyError as error:
        raise SimulatorError(
            f"No profile is called {error}; there are: mixed, {', '.join(PROFILES)}."
        ) from None


async def run_fleet(options: RunOptions, say: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM.

    :raises SimulatorError: with a sentence, before anything is served.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    password = choose_password(options.credentials_file, options.password_file)
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(
            Fleet.start(
                count=options.count,
                network=options.network,
                port=options.port,
                username=options.username,
                password=password,
                profiles=options.profiles,
                lag_scale=options.lag_scale,
                power=options.power_of,
                seed=options.seed,
                log_size=LOG_SIZE,
                log_file=options.log_file,
            )
        )
        control = ""
        if options.control:
            door = await stack.enter_async_context(open_door(fleet, *options.control))
            control = f"{door.address}:{door.port}"
        if options.credentials_file:
            write_credentials(options.credentials_file, fleet, control)
        first, last = fleet[0].address, fleet[len(fleet) - 1].address
        say(f"{len(fleet)} simulated BMCs on {first} to {last}, UDP port {fleet.port}")
        say(f"User {fleet.username}, password {options.credentials_file or fleet.password}")
        say(f"Control door: {'http://' + control if control else 'none'}")
        await stop.wait()
