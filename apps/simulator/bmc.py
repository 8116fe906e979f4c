"""One simulated BMC: what a test or a demo sees of it and can do to it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from apps.bmc.values import PowerAction, PowerState, Privilege
from apps.simulator.chassis import Chassis
from apps.simulator.datagrams import Datagram, DatagramFile
from apps.simulator.faults import Faults, Lie
from apps.simulator.fru import serial_of
from apps.simulator.link import Link
from apps.simulator.profiles import Lag, Profile
from apps.simulator.protocol import handle_datagram
from apps.simulator.sessions import SessionTable, SimulatedUser
from apps.simulator.state import BmcState, Counters, Executed, Outcome, Peer, guid_of


class SimulatedBmc:
    """Listens from `open` to `close`. Reading is safe in any thread, changing in the loop's thread
    (or through `FleetThread.call`)."""

    def __init__(
        self,
        index: int,
        address: str,
        profile: Profile,
        user: SimulatedUser,
        *,
        lag: Lag,
        power: PowerState = PowerState.ON,
        seed: int = 0,
        log_size: int = 256,
        log_file: DatagramFile | None = None,
    ) -> None:
        self.index = index
        self.address = address
        self.port = 0
        self.username = user.name
        self.password = user.password
        self.guid = guid_of(index).hex()
        """32 hex digits in wire order: the true one, whatever the faults say."""
        self.serial = serial_of(index)
        """The true serial number in the FRU, whatever the faults say."""
        self.datagrams: deque[Datagram] = deque(maxlen=log_size)
        self._log_file = log_file
        self._link: Link | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._state = BmcState(
            index,
            profile,
            Chassis(lag, power),
            SessionTable(profile.session_slots, profile.session_idle_seconds),
            Random(f"{seed}/{index}"),  # noqa: S311 (faults must repeat with the same seed)
            {user.name.encode(): user},
        )

    def __repr__(self) -> str:
        return (
            f"<SimulatedBmc {self.index} {self.address}:{self.port} {self.profile.name} "
            f"{self.power} [{self.open_sessions} sessions] {self.faults.active()}>"
        )

    # ------------------------------------------------------------ life

    def open(self, sock: socket.socket) -> None:
        """Start to listen on a bound, non-blocking UDP socket; it is owned from now on."""
        self.port = sock.getsockname()[1]
        self._link = Link(self._state, sock, self._handle, self._record)

    def close(self) -> None:
        if self._link:
            self._link.close()
        self._wake()

    def change_places(self, other: SimulatedBmc) -> None:
        """Somebody swaps the cables of two BMCs: each answers at the other's address."""
        if self._link is None or other._link is None:
            raise ValueError("Both must listen.")
        mine, theirs = self._link.detach(), other._link.detach()
        self.address, other.address = other.address, self.address
        self.open(theirs)
        other.open(mine)

    def _handle(self, datagram: bytes, peer: Peer, now: float) -> Outcome:
        return handle_datagram(self._state, datagram, peer, now)

    def _record(
        self, at: float, direction: str, peer: Peer, kind: str, length: int, fate: str
    ) -> None:
        datagram = Datagram(at, direction, peer, kind, length, fate)
        self.datagrams.append(datagram)
        if self._log_file is not None:
            self._log_file.write(self.address, datagram)
        if self._waiters:
            self._wake()

    # ------------------------------------------------------------ what is known

    @property
    def profile(self) -> Profile:
        return self._state.profile

    @property
    def power(self) -> PowerState:
        """The true state, whatever the faults report."""
        return self._state.chassis.power(time.monotonic())

    @property
    def identify_on(self) -> bool:
        return self._state.chassis.identify_state(time.monotonic()) != 0

    @property
    def counters(self) -> Counters:
        return self._state.counters

    @property
    def executed(self) -> list[Executed]:
        """The last 1,000 chassis controls that ran, oldest first."""
        return list(self._state.executed)

    def executed_count(self, action: PowerAction | None = None) -> int:
        """How many chassis controls of this action (or of any) ran since the start."""
        executed = self._state.counters.executed
        return executed[action] if action else sum(executed.values())

    @property
    def open_sessions(self) -> int:
        return self._state.sessions.open_count(time.monotonic())

    @property
    def faults(self) -> Faults:
        return self._state.faults.seen_at(time.monotonic())

    @property
    def locked_users(self) -> list[str]:
        """Users that the lock-out fault keeps out now."""
        return [
            name.decode()
            for name, user in list(self._state.users.items())
            if user.enabled and self._state.user_for(name) is None
        ]

    def describe(self) -> dict[str, Any]:
        """Return everything but passwords, as JSON values."""
        counters = self.counters
        return {
            "index": self.index,
            "address": self.address,
            "port": self.port,
            "guid": self.guid,
            "profile": self.profile.name,
            "power": self.power,
            "identify_on": self.identify_on,
            "open_sessions": self.open_sessions,
            "faults": self.faults.active(),
            "locked_users": self.locked_users,
            "executed": {str(action): count for action, count in list(counters.executed.items())},
            "refused_power": counters.refused_power,
            "handshakes": counters.handshakes,
            "logins": counters.logins,
            "refused_logins": counters.refused_logins,
            "no_slot": counters.no_slot,
            "received": counters.received,
            "sent": counters.sent,
            "dropped": counters.dropped,
        }

    # ------------------------------------------------------------ what can be done to it

    def set_faults(self, *, duration_seconds: float | None = None, **changes: Any) -> None:
        """Switch faults on or off; the others stay. With a duration these heal by themselves.

        :raises FaultError: unknown name or impossible value; nothing is changed then.
        """
        now = time.monotonic()
        self._state.faults.set(changes, now=now, duration_seconds=duration_seconds)
        if changes.get("lie") == Lie.FROZEN:
            self._state.frozen_power = self._state.chassis.power(now)
        if changes.get("lock_out") is False:
            self._state.bad_logins.clear()
        self._wake()

    def clear_faults(self, names: Iterable[str] = ()) -> None:
        """Switch off the named faults, or all. Locked users are free again."""
        chosen = tuple(names)
        self._state.faults.clear(chosen)
        if not chosen or "lock_out" in chosen:
            self._state.bad_logins.clear()
        if not chosen or "power_reply_loss_seconds" in chosen:
            self._state.replies_lost_until = 0.0
        self._wake()

    def press_power(self, power: PowerState) -> None:
        """Somebody at the machine switches it: true at once, counted nowhere."""
        if power is PowerState.UNKNOWN:
            raise ValueError("A machine is on or off.")
        self._state.chassis.press(power)
        self._wake()

    def restart(self, down_seconds: float = 0.0) -> None:
        """The BMC (not the server) restarts: sessions, identify and bad logins are forgotten."""
        self._state.sessions.forget_all()
        self._state.bad_logins.clear()
        self._state.chassis.identify(0, time.monotonic())
        if self._link:
            self._link.go_down(down_seconds)
        self._wake()

    def set_user(
        self,
        name: str,
        password: str,
        privilege: Privilege = Privilege.ADMINISTRATOR,
        *,
        enabled: bool = True,
    ) -> None:
        """Add or change a user. Open sessions keep what they have."""
        self._state.users[name.encode()] = SimulatedUser(name, password, privilege, enabled)
        if name == self.username:
            self.password = password

    def set_kg(self, kg: bytes) -> None:
        """Set the BMC key; empty: one-key logins."""
        self._state.kg = kg

    def set_lag(self, lag: Lag) -> None:
        self._state.chassis.lag = lag

    # ------------------------------------------------------------ waiting

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_until(
        self, predicate: Callable[[SimulatedBmc], bool], timeout_seconds: float = 5.0
    ) -> None:
        """Return as soon as `predicate(self)` is true: looked at after every datagram, every
        change from outside and every due change of power.

        :raises TimeoutError: it was not true in time.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_seconds):
            while not predicate(self):
                waiter = loop.create_future()
                self._waiters.append(waiter)
                now = time.monotonic()
                due = self._state.chassis.next_change_at(now)
                pause = None if due is None else max(due - now, 0.001)
                await asyncio.wait([waiter], timeout=pause)
