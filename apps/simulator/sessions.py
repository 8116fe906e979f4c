"""Users, half-open and open sessions of one simulated BMC."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from apps.bmc.rmcp.crypto import Handshake, Keys, Suite
from apps.bmc.values import Privilege
from apps.simulator.errors import SimulatorError

HALF_OPEN_LIMIT = 16
HALF_OPEN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SimulatedUser:
    name: str
    password: str = field(repr=False)
    privilege: Privilege = Privilege.ADMINISTRATOR
    enabled: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.name.encode()) <= 16:
            raise SimulatorError("A user name has 1 to 16 bytes.")
        if not 1 <= len(self.password.encode()) <= 20:
            raise SimulatorError("A password has 1 to 20 bytes.")

    @property
    def secret(self) -> bytes:
        return self.password.encode()


@dataclass(slots=True)
class Session:
    bmc_id: int
    console_id: int
    suite: Suite
    max_privilege: int
    touched_at: float
    window: int = 32
    asked_privilege: int = 0
    """What Open Session asked for; 0 is "the highest there is"."""
    handshake: Handshake | None = None
    user: SimulatedUser | None = None
    keys: Keys | None = None
    """None while half open."""
    privilege: int = Privilege.USER
    sent: int = 0
    highest: int = 0
    seen: int = 1

    def admits(self, sequence: int) -> bool:
        """Take a sequence number once, within the window (IPMI 2.0 §6.12.13)."""
        ahead = sequence - self.highest
        if ahead > self.window:
            return False
        if ahead > 0:
            self.seen = ((self.seen << ahead) | 1) & ((1 << self.window) - 1)
            self.highest = sequence
            return True
        if -ahead >= self.window or self.seen >> -ahead & 1:
            return False
        self.seen |= 1 << -ahead
        return True

    def seal(self, message: bytes) -> bytes:
        assert self.keys is not None  # noqa: S101 (only open sessions seal)
        self.sent += 1
        return self.keys.seal(self.console_id, self.sent, message)


class SessionTable:
    """Open sessions take slots; half-open ones do not, the oldest of too many is forgotten."""

    __slots__ = ("_half", "_idle_seconds", "_open", "_slots")

    def __init__(self, slots: int, idle_seconds: float) -> None:
        self._slots = slots
        self._idle_seconds = idle_seconds
        self._half: dict[int, Session] = {}
        self._open: dict[int, Session] = {}

    def __repr__(self) -> str:
        return f"<SessionTable {len(self._open)}/{self._slots} open, {len(self._half)} half open>"

    def _expire(self, now: float) -> None:
        if self._open:
            limit = now - self._idle_seconds
            for session in [s for s in self._open.values() if s.touched_at < limit]:
                del self._open[session.bmc_id]
        if self._half:
            limit = now - HALF_OPEN_SECONDS
            for session in [s for s in self._half.values() if s.touched_at < limit]:
                del self._half[session.bmc_id]

    def is_full(self, now: float) -> bool:
        self._expire(now)
        return len(self._open) >= self._slots

    def open_count(self, now: float) -> int:
        """Changes nothing, so that any thread may ask."""
        limit = now - self._idle_seconds
        return sum(session.touched_at >= limit for session in list(self._open.values()))

    def begin(
        self, console_id: int, suite: Suite, max_privilege: int, now: float, window: int
    ) -> Session:
        bmc_id = 0
        while not bmc_id or bmc_id in self._open or bmc_id in self._half:
            bmc_id = secrets.randbits(32)
        while len(self._half) >= HALF_OPEN_LIMIT:
            del self._half[next(iter(self._half))]
        session = Session(bmc_id, console_id, suite, max_privilege, now, window)
        self._half[bmc_id] = session
        return session

    def half_open(self, bmc_id: int, now: float) -> Session | None:
        self._expire(now)
        return self._half.get(bmc_id)

    def activate(self, session: Session, keys: Keys) -> None:
        del self._half[session.bmc_id]
        session.keys = keys
        session.privilege = min(Privilege.USER, session.max_privilege)
        self._open[session.bmc_id] = session

    def find(self, bmc_id: int, now: float) -> Session | None:
        self._expire(now)
        return self._open.get(bmc_id)

    def end(self, bmc_id: int) -> bool:
        self._half.pop(bmc_id, None)
        return self._open.pop(bmc_id, None) is not None

    def forget_all(self) -> None:
        self._half.clear()
        self._open.clear()
