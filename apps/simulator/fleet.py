"""Many simulated BMCs in one process, one UDP socket each."""

from __future__ import annotations

import errno
import ipaddress
import resource
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from apps.bmc.values import PowerAction, PowerState
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.datagrams import DatagramFile
from apps.simulator.errors import SimulatorError
from apps.simulator.profiles import DEFAULT_PROFILES, Profile
from apps.simulator.sessions import SimulatedUser

DEFAULT_PORT: Final = 9623
DEFAULT_NETWORK: Final = "127.10.0.0/16"
DEFAULT_USERNAME: Final = "portal"
MAX_COUNT: Final = 20_000
SPARE_FILES: Final = 256
PORT_TRIES: Final = 10


def generate_password() -> str:
    """16 characters: every BMC takes it (IPMI 1.5 has 16, 2.0 has 20 bytes)."""
    return secrets.token_urlsafe(12)


def raise_file_limit(count: int) -> None:
    """Let this process have `count` sockets.

    :raises SimulatorError: the hard limit is lower; the sentence says what to do.
    """
    wanted = count + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SimulatorError(
            f"{count} BMCs need {wanted} open files, this process may have {hard}: "
            f"raise the hard limit (ulimit -Hn {wanted}) or simulate fewer."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def fleet_addresses(network: str, count: int) -> list[str]:
    """Return the first `count` host addresses.

    :raises SimulatorError: not a loopback network, or too small.
    """
    try:
        parsed = ipaddress.IPv4Network(network)
    except ValueError as error:
        raise SimulatorError(f"{network!r} is not an IPv4 network: {error}.") from None
    if not parsed.subnet_of(ipaddress.IPv4Network("127.0.0.0/8")):
        raise SimulatorError("Simulated BMCs stay on loopback: take a network in 127.0.0.0/8.")
    if not 1 <= count <= MAX_COUNT:
        raise SimulatorError(f"The number of BMCs is from 1 to {MAX_COUNT}.")
    addresses = [str(address) for address in islice(parsed.hosts(), count)]
    if len(addresses) < count:
        raise SimulatorError(f"{network} has room for {len(addresses)} BMCs, not for {count}.")
    return addresses


def _bind(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_all(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """All or none. With port 0 a free port is chosen, the same for all."""
    with ExitStack() as undo:
        bound: list[socket.socket] = []
        for address in addresses:
            bound.append(undo.enter_context(_bind(address, port)))
            port = bound[0].getsockname()[1]
        undo.pop_all()
    return bound


def _bind_fleet(addresses: Sequence[str], port: int) -> list[socket.socket]:
    for left in reversed(range(PORT_TRIES if port == 0 else 1)):
        try:
            return _bind_all(addresses, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and left:
                continue
            raise SimulatorError(
                f"Cannot listen on {addresses[0]} … {addresses[-1]} port {port}: {error.strerror}."
            ) from error
    raise AssertionError("unreachable")


class Fleet:
    """`async with Fleet.start(count=3) as fleet:`; BMCs by index: `fleet[0]`, or by address."""

    def __init__(self, bmcs: Sequence[SimulatedBmc], user: SimulatedUser) -> None:
        self.bmcs = list(bmcs)
        self.username = user.name
        self.password = user.password
        self.port = bmcs[0].port
        self._by_address = {bmc.address: bmc for bmc in bmcs}

    def __repr__(self) -> str:
        first, last = self.bmcs[0], self.bmcs[-1]
        return f"<Fleet {len(self.bmcs)} BMCs {first.address} … {last.address} port {self.port}>"

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        count: int = 1,
        network: str = DEFAULT_NETWORK,
        port: int = 0,
        username: str = DEFAULT_USERNAME,
        password: str | None = None,
        profiles: Sequence[Profile] = DEFAULT_PROFILES,
        lag_scale: float = 0.0,
        power: PowerState | Callable[[int], PowerState] = PowerState.ON,
        seed: int = 0,
        log_size: int = 256,
        log_file: Path | None = None,
    ) -> AsyncIterator[Fleet]:
        """Listen until the block ends.

        :param port: one UDP port for all; 0 takes a free one.
        :param password: generated if None (see `fleet.password`).
        :param profiles: taken in turn.
        :param lag_scale: 0 = power changes at once, 1 = as slow as the real models.
        :param power: of all, or a function of the index.
        :param seed: the same seed repeats the same random faults.
        :param log_size: datagrams kept in memory for each BMC.
        :param log_file: all datagrams, as JSON lines.
        :raises SimulatorError: wrong network, port in use, too few files allowed.
        """
        addresses = fleet_addresses(network, count)
        user = SimulatedUser(username, generate_password() if password is None else password)
        raise_file_limit(count)
        with ExitStack() as stack:
            file = stack.enter_context(DatagramFile(log_file)) if log_file else None
            sockets = _bind_fleet(addresses, port)
            bmcs = []
            for index, (address, sock) in enumerate(zip(addresses, sockets, strict=True)):
                profile = profiles[index % len(profiles)]
                bmc = SimulatedBmc(
                    index,
                    address,
                    profile,
                    user,
                    lag=profile.lag.scaled(lag_scale),
                    power=power if isinstance(power, PowerState) else power(index),
                    seed=seed,
                    log_size=log_size,
                    log_file=file,
                )
                bmc.open(sock)
                stack.callback(bmc.close)
                bmcs.append(bmc)
            yield cls(bmcs, user)

    def __getitem__(self, which: int | str) -> SimulatedBmc:
        """:raises KeyError: no such BMC."""
        if isinstance(which, str):
            return self._by_address[which]
        if not 0 <= which < len(self.bmcs):
            raise KeyError(which)
        return self.bmcs[which]

    def __iter__(self) -> Iterator[SimulatedBmc]:
        return iter(self.bmcs)

    def __len__(self) -> int:
        return len(self.bmcs)

    def swap(self, one: int, other: int) -> None:
        """Swap the addresses of two BMCs; the indices stay with the machines."""
        self[one].change_places(self[other])
        self._by_address = {bmc.address: bmc for bmc in self.bmcs}

    def executed_count(self, action: PowerAction | None = None) -> int:
        return sum(bmc.executed_count(action) for bmc in self.bmcs)

    @property
    def login_count(self) -> int:
        return sum(bmc.counters.logins for bmc in self.bmcs)

    @property
    def open_sessions(self) -> int:
        return sum(bmc.open_sessions for bmc in self.bmcs)

    def set_faults(self, *, duration_seconds: float | None = None, **changes: Any) -> None:
        for bmc in self.bmcs:
            bmc.set_faults(duration_seconds=duration_seconds, **changes)

    def clear_faults(self) -> None:
        for bmc in self.bmcs:
            bmc.clear_faults()
