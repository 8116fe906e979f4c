"""Faults of a simulated BMC and of the network before it, switchable at run time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final

from apps.simulator.errors import SimulatorError
from apps.simulator.fru import BadFru

ALWAYS: Final = -1
MAX_SECONDS: Final = 3600.0
MAX_COUNT: Final = 1_000_000


class FaultError(SimulatorError):
    """No such fault, or a value it cannot have."""


class Lie(StrEnum):
    """How the reported power state differs from the true one."""

    NONE = "none"
    OPPOSITE = "opposite"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities are 0..1 per datagram; counts are "so many times", -1 is always."""

    silent: bool = False
    """Nothing is heard and nothing is said."""
    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    """Each reply waits latency + random(0..jitter)."""
    request_loss: float = 0.0
    reply_loss: float = 0.0
    power_reply_loss_seconds: float = 0.0
    """From the next chassis control on, all replies are lost for so long; then it heals."""
    duplicate: float = 0.0
    """A datagram arrives or leaves twice."""
    reorder: float = 0.0
    """A reply leaves after the next one, at most 0.2 s late."""
    truncate: float = 0.0
    garbage: float = 0.0
    """A reply has random bytes: all of it, or all after the RMCP header, or some flipped bits."""
    refuse_power: bool = False
    """Chassis control is answered D5 and does not run."""
    ignore_power: bool = False
    """Chassis control is answered 00 and nothing happens."""
    ignore_soft_off: bool = False
    """Soft off is answered 00 and the operating system does not care."""
    busy: int = 0
    """Commands in a session are answered C0 (not: set privilege, close session)."""
    busy_power: int = 0
    """Chassis controls are answered C0."""
    lie: Lie = Lie.NONE
    wrong_guid: bool = False
    """Another GUID, in RAKP 2 and in Get System GUID: as if the machine was swapped."""
    wrong_serial: bool = False
    """Other serial numbers in the FRU: as if the machine behind the BMC was swapped."""
    fru: BadFru = BadFru.NONE
    """What is wrong with the FRU inventory."""
    lock_out: bool = False
    """A user with 3 bad logins in a row is unknown (0x0D) until this is switched off."""

    def changed(self, changes: Mapping[str, Any]) -> Faults:
        """Return a copy with `changes`.

        :raises FaultError: unknown name or impossible value; nothing is changed then.
        """
        values: dict[str, Any] = {name: _checked(name, value) for name, value in changes.items()}
        return replace(self, **values)

    def cleared(self, names: Iterable[str]) -> Faults:
        return replace(self, **{name: _default(name) for name in names})

    def active(self) -> dict[str, Any]:
        """Return those that are not at rest, as JSON values."""
        rest = asdict(NO_FAULTS)
        return {name: value for name, value in asdict(self).items() if value != rest[name]}


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise FaultError(f"{name} is true or false.")


def _number(name: str, value: object, low: float, high: float, what: str) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if good and math.isfinite(value) and low <= value <= high:  # type: ignore[operator, arg-type]
        return float(value)  # type: ignore[arg-type]
    raise FaultError(f"{name} is {what}.")


def _probability(name: str, value: object) -> float:
    if isinstance(value, bool):
        return float(value)
    return _number(name, value, 0.0, 1.0, "a probability from 0 to 1")


def _seconds(name: str, value: object) -> float:
    if value is False:
        return 0.0
    return _number(name, value, 0.0, MAX_SECONDS, f"a number of seconds from 0 to {MAX_SECONDS:g}")


def _count(name: str, value: object) -> int:
    if isinstance(value, bool):
        return ALWAYS if value else 0
    what = f"a whole number of times from 0 to {MAX_COUNT}, or -1 for always"
    number = _number(name, value, ALWAYS, MAX_COUNT, what)
    if number != int(number):
        raise FaultError(f"{name} is {what}.")
    return int(number)


def _word(words: type[StrEnum], name: str, value: object) -> StrEnum:
    if value is False:
        return words("none")
    try:
        return words(value)  # type: ignore[arg-type]
    except ValueError:
        raise FaultError(f"{name} is one of: {', '.join(words)}.") from None


_CHECKS: Final[dict[str, Callable[[str, object], bool | float | int | StrEnum]]] = {
    "silent": _flag,
    "latency_seconds": _seconds,
    "jitter_seconds": _seconds,
    "request_loss": _probability,
    "reply_loss": _probability,
    "power_reply_loss_seconds": _seconds,
    "duplicate": _probability,
    "reorder": _probability,
    "truncate": _probability,
    "garbage": _probability,
    "refuse_power": _flag,
    "ignore_power": _flag,
    "ignore_soft_off": _flag,
    "busy": _count,
    "busy_power": _count,
    "lie": partial(_word, Lie),
    "wrong_guid": _flag,
    "wrong_serial": _flag,
    "fru": partial(_word, BadFru),
    "lock_out": _flag,
}

FAULT_NAMES: Final = tuple(field.name for field in fields(Faults))
NO_FAULTS: Final = Faults()


def check_names(names: Iterable[str]) -> None:
    for name in names:
        if name not in _CHECKS:
            raise FaultError(f"No fault is called {name[:40]!r}; there are: {', '.join(_CHECKS)}.")


def _checked(name: str, value: object) -> bool | float | int | StrEnum:
    check_names([name])
    return _CHECKS[name](name, value)


def _default(name: str) -> Any:
    check_names([name])
    return getattr(NO_FAULTS, name)


def value_from_word(word: str) -> bool | float | int | str:
    """Read a value as typed on a command line: on, off, a number, or a word such as `frozen`."""
    if word in ("on", "true", "always"):
        return True
    if word in ("off", "false"):
        return False
    try:
        number = float(word)
    except ValueError:
        return word
    return int(number) if number.is_integer() else number


class FaultSwitch:
    """The faults of one BMC now. Those set with a duration heal by themselves."""

    __slots__ = ("_heals_at", "current")

    def __init__(self) -> None:
        self.current = NO_FAULTS
        self._heals_at: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<FaultSwitch {self.current.active()}>"

    def set(
        self, changes: Mapping[str, Any], *, now: float, duration_seconds: float | None = None
    ) -> None:
        """:raises FaultError: and nothing is changed."""
        if duration_seconds is not None:
            duration_seconds = _seconds("duration_seconds", duration_seconds)
        self.current = self.current.changed(changes)
        for name in changes:
            self._heals_at.pop(name, None)
            if duration_seconds is not None:
                self._heals_at[name] = now + duration_seconds

    def clear(self, names: Iterable[str] = ()) -> None:
        """Switch off the named faults, or all."""
        chosen = tuple(names) or FAULT_NAMES
        self.current = self.current.cleared(chosen)
        for name in chosen:
            self._heals_at.pop(name, None)

    def _healed(self, now: float) -> list[str]:
        return [name for name, due in list(self._heals_at.items()) if due <= now]

    def at(self, now: float) -> Faults:
        """Let heal what is due, and return the rest."""
        if self._heals_at:
            healed = self._healed(now)
            if healed:
                self.clear(healed)
        return self.current

    def seen_at(self, now: float) -> Faults:
        """The same without changing anything: any thread may ask."""
        return self.current.cleared(self._healed(now))

    def use_up(self, name: str) -> bool:
        """Take one of a counted fault; True if it strikes now."""
        left: int = getattr(self.current, name)
        if left > 0:
            self.current = self.current.changed({name: left - 1})
        return left != 0
