"""What the control door can do with a fleet: one function per address and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from apps.bmc.values import PowerState
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.errors import SimulatorError
from apps.simulator.faults import MAX_SECONDS, NO_FAULTS, check_names
from apps.simulator.fleet import Fleet

ALL: Final = "all"

Body = Mapping[str, Any]
Result = dict[str, Any]


class NotFoundError(SimulatorError):
    """No such BMC or address."""


class MethodError(SimulatorError):
    """The address exists, the method does not."""


def choose(fleet: Fleet, which: str) -> Sequence[SimulatedBmc]:
    """Return the BMCs meant by an index, an address or `all`.

    :raises NotFoundError:
    """
    if which == ALL:
        return fleet.bmcs
    try:
        key = int(which) if which.isascii() and which.isdigit() and len(which) < 9 else which
        return [fleet[key]]
    except KeyError:
        raise NotFoundError(
            f"There is no BMC {which[:60]!r}: take an index from 0 to {len(fleet) - 1}, "
            "an address, or all."
        ) from None


def _show(bmcs: Sequence[SimulatedBmc]) -> Result:
    return {"count": len(bmcs), "bmcs": [bmc.describe() for bmc in bmcs]}


def _only(body: Body, *allowed: str) -> None:
    for name in body:
        if name not in allowed:
            raise SimulatorError(f"{name[:40]!r} is not expected; there is: {', '.join(allowed)}.")


def _seconds(body: Body, name: str) -> float:
    value = body.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SimulatorError(f"{name} is a number of seconds.")
    if not 0 <= value <= MAX_SECONDS:
        raise SimulatorError(f"{name} is from 0 to {MAX_SECONDS:g}.")
    return float(value)


def show(fleet: Fleet, which: str, body: Body) -> Result:
    return _show(choose(fleet, which))


def datagrams(fleet: Fleet, which: str, body: Body) -> Result:
    return {
        "datagrams": [
            {"bmc": bmc.address, **datagram._asdict()}
            for bmc in choose(fleet, which)
            for datagram in list(bmc.datagrams)
        ]
    }


def faults_set(fleet: Fleet, which: str, body: Body) -> Result:
    bmcs = choose(fleet, which)
    changes = dict(body)
    duration = changes.pop("duration_seconds", None)
    if not changes:
        raise SimulatorError('Name at least one fault, as in {"silent": true}.')
    NO_FAULTS.changed(changes)
    for bmc in bmcs:
        bmc.set_faults(duration_seconds=duration, **changes)
    return _show(bmcs)


def faults_clear(fleet: Fleet, which: str, body: Body) -> Result:
    _only(body, "names")
    names = body.get("names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SimulatorError("names is a list of fault names; without it all are cleared.")
    check_names(names)
    bmcs = choose(fleet, which)
    for bmc in bmcs:
        bmc.clear_faults(names)
    return _show(bmcs)


def power(fleet: Fleet, which: str, body: Body) -> Result:
    _only(body, "state")
    state = body.get("state")
    if state not in (PowerState.ON, PowerState.OFF):
        raise SimulatorError("state is on or off.")
    bmcs = choose(fleet, which)
    for bmc in bmcs:
        bmc.press_power(PowerState(state))
    return _show(bmcs)


def restart(fleet: Fleet, which: str, body: Body) -> Result:
    _only(body, "down_seconds")
    seconds = _seconds(body, "down_seconds")
    bmcs = choose(fleet, which)
    for bmc in bmcs:
        bmc.restart(seconds)
    return _show(bmcs)


Action = Callable[[Fleet, str, Body], Result]

ACTIONS: Final[dict[str, dict[str, Action]]] = {
    "": {"GET": show},
    "datagrams": {"GET": datagrams},
    "faults": {"POST": faults_set, "DELETE": faults_clear},
    "power": {"POST": power},
    "restart": {"POST": restart},
}


def find_action(method: str, path: str) -> tuple[Action, str]:
    """Return the function for `/bmcs`, `/bmcs/{which}` or `/bmcs/{which}/{action}`, and which.

    :raises NotFoundError, MethodError:
    """
    parts = [part for part in path.split("/") if part]
    if not parts or parts[0] != "bmcs" or len(parts) > 3:
        raise NotFoundError("There is /bmcs, /bmcs/{index, address or all} and below.")
    which = parts[1] if len(parts) > 1 else ALL
    methods = ACTIONS.get(parts[2] if len(parts) > 2 else "")
    if methods is None:
        names = ", ".join(name for name in ACTIONS if name)
        raise NotFoundError(f"Below a BMC there is: {names}.")
    action = methods.get(method)
    if action is None:
        raise MethodError(f"This address takes {' and '.join(methods)}.")
    return action, which
