"""Everything one simulated BMC knows and counts. The handshake and the commands work on it."""

from __future__ import annotations

import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from apps.bmc.values import PowerAction, PowerState
from apps.simulator.chassis import Chassis
from apps.simulator.faults import FaultSwitch, Lie
from apps.simulator.fru import fru_image
from apps.simulator.profiles import Profile
from apps.simulator.sessions import SessionTable, SimulatedUser

Peer = tuple[str, int]

EXECUTED_LOG_SIZE: Final = 1000
BAD_LOGINS_TO_LOCK: Final = 3
_NAMESPACE: Final = uuid.UUID("6f1d7a0e-5c0b-4f6d-9c55-0b8f6b3f7a11")


def guid_of(index: int, *, wrong: bool = False) -> bytes:
    """Return the 16 bytes on the wire: the same for the same index in every run."""
    return uuid.uuid5(_NAMESPACE, f"{'swapped' if wrong else 'bmc'}-{index}").bytes


class Executed(NamedTuple):
    """A chassis control that ran: answered 00, even if that reply was lost on its way."""

    at: float
    action: PowerAction
    username: str
    session_id: int
    rq_seq: int
    peer: Peer


class Outcome(NamedTuple):
    """What became of one datagram. `fate` is empty if it was handled, else why it was dropped."""

    kind: str
    fate: str = ""
    reply_kind: str = ""
    reply: bytes | None = None


@dataclass(slots=True)
class Counters:
    executed: Counter[PowerAction] = field(default_factory=Counter)
    refused_power: int = 0
    """Chassis controls answered with another code than 00."""
    handshakes: int = 0
    """Open Session requests."""
    logins: int = 0
    """RAKP 3 seen for a half-open session, good or bad."""
    refused_logins: int = 0
    """RAKP 2 or RAKP 4 with a status about user, role or password; RAKP 3 that carries an error."""
    no_slot: int = 0
    """Answers "insufficient resources" (0x01)."""
    received: int = 0
    sent: int = 0
    dropped: int = 0
    """Datagrams lost by a fault, replayed, forged or not understood."""


@dataclass(slots=True)
class BmcState:
    index: int
    profile: Profile
    chassis: Chassis
    sessions: SessionTable
    random: Random
    users: dict[bytes, SimulatedUser] = field(default_factory=dict)
    kg: bytes = b""
    faults: FaultSwitch = field(default_factory=FaultSwitch)
    counters: Counters = field(default_factory=Counters)
    executed: deque[Executed] = field(default_factory=lambda: deque(maxlen=EXECUTED_LOG_SIZE))
    bad_logins: dict[bytes, int] = field(default_factory=dict)
    frozen_power: PowerState = PowerState.ON
    replies_lost_until: float = 0.0

    @property
    def guid(self) -> bytes:
        return guid_of(self.index, wrong=self.faults.current.wrong_guid)

    @property
    def fru(self) -> bytes:
        """What Read FRU Data shows now; built anew for each read: nobody reads it often."""
        faults = self.faults.current
        return fru_image(self.profile, self.index, faults.fru, wrong_serial=faults.wrong_serial)

    def reported_power(self, now: float) -> PowerState:
        true = self.chassis.power(now)
        lie = self.faults.current.lie
        if lie is Lie.FROZEN:
            return self.frozen_power
        if lie is Lie.OPPOSITE:
            return PowerState.OFF if true is PowerState.ON else PowerState.ON
        return true

    def user_for(self, name: bytes) -> SimulatedUser | None:
        """Return the user who may log in by this name now."""
        user = self.users.get(name)
        if user is None or not user.enabled:
            return None
        if self.faults.current.lock_out and self.bad_logins.get(name, 0) >= BAD_LOGINS_TO_LOCK:
            return None
        return user

    def record_bad_login(self, name: bytes) -> None:
        self.counters.refused_logins += 1
        if self.faults.current.lock_out and name in self.users:
            self.bad_logins[name] = self.bad_logins.get(name, 0) + 1
