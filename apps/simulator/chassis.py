"""Power and identify of a simulated server. Changes are due at a time, seen when somebody looks."""

from __future__ import annotations

from typing import Final

from apps.bmc.values import PowerAction, PowerState
from apps.simulator.profiles import Lag

CHASSIS_CONTROLS: Final = {
    0: PowerAction.OFF,
    1: PowerAction.ON,
    2: PowerAction.CYCLE,
    3: PowerAction.RESET,
    4: PowerAction.NMI,
    5: PowerAction.SOFT_OFF,
}
"""IPMI 2.0 §28.3."""

NEEDS_POWER: Final = frozenset(
    {PowerAction.CYCLE, PowerAction.RESET, PowerAction.NMI, PowerAction.SOFT_OFF}
)

_FOREVER: Final = float("inf")


class Chassis:
    __slots__ = ("_due", "_identify_until", "_power", "lag", "on_by_command")

    def __init__(self, lag: Lag, power: PowerState = PowerState.ON) -> None:
        self.lag = lag
        self.on_by_command = False
        self._power = power
        self._due: tuple[tuple[float, PowerState], ...] = ()
        self._identify_until = 0.0

    def power(self, now: float) -> PowerState:
        """Changes nothing, so that any thread may ask."""
        power = self._power
        for at, next_power in self._due:
            if at <= now:
                power = next_power
        return power

    def next_change_at(self, now: float) -> float | None:
        return next((at for at, _ in self._due if at > now), None)

    def allows(self, action: PowerAction, now: float) -> bool:
        return self.power(now) is PowerState.ON or action not in NEEDS_POWER

    def execute(self, action: PowerAction, now: float) -> None:
        """Reset and NMI change nothing that the chassis status shows."""
        self._power = self.power(now)
        lag = self.lag
        if action is PowerAction.ON:
            self._due = ((now + lag.on_seconds, PowerState.ON),)
        elif action is PowerAction.OFF:
            self._due = ((now + lag.off_seconds, PowerState.OFF),)
        elif action is PowerAction.SOFT_OFF:
            self._due = ((now + lag.soft_off_seconds, PowerState.OFF),)
        elif action is PowerAction.CYCLE:
            off_at = now + lag.off_seconds
            self._due = (
                (off_at, PowerState.OFF),
                (off_at + lag.cycle_off_seconds, PowerState.ON),
            )
        if action in (PowerAction.ON, PowerAction.CYCLE):
            self.on_by_command = True

    def press(self, power: PowerState) -> None:
        """Somebody presses the button at the machine: at once; pending changes are forgotten."""
        self._power = power
        self._due = ()
        self.on_by_command = False

    def identify(self, seconds: int, now: float, *, forever: bool = False) -> None:
        self._identify_until = _FOREVER if forever else now + seconds

    def identify_state(self, now: float) -> int:
        """0 off, 1 for some time, 2 until told otherwise (IPMI 2.0 §28.2)."""
        if self._identify_until == _FOREVER:
            return 2
        return 1 if self._identify_until > now else 0
