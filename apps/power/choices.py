"""Power actions: who may order them, and what they mean, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.bmc import PowerAction, PowerState
from apps.clusters.choices import Role
from apps.inventory.choices import Transition
from apps.jobs.choices import ResultCode

KIND: Final = "power"

ACTION_ROLE: Final[dict[PowerAction, Role]] = {
    PowerAction.ON: Role.USER,
    PowerAction.SOFT_OFF: Role.USER,
    PowerAction.OFF: Role.OPERATOR,
    PowerAction.CYCLE: Role.OPERATOR,
    PowerAction.RESET: Role.OPERATOR,
    PowerAction.NMI: Role.OPERATOR,
}

WANTED: Final[dict[PowerAction, PowerState]] = {
    PowerAction.ON: PowerState.ON,
    PowerAction.OFF: PowerState.OFF,
    PowerAction.SOFT_OFF: PowerState.OFF,
}
"""The state that proves the action. The others prove nothing by a state alone."""

REPEATABLE: Final = frozenset({PowerAction.ON, PowerAction.OFF})

ACTION_TRANSITION: Final[dict[PowerAction, Transition]] = {
    PowerAction.ON: Transition.STARTING,
    PowerAction.OFF: Transition.SHUTTING_DOWN,
    PowerAction.SOFT_OFF: Transition.SHUTTING_DOWN,
    PowerAction.CYCLE: Transition.RESETTING,
    PowerAction.RESET: Transition.RESETTING,
    PowerAction.NMI: Transition.NONE,
}


@dataclass(frozen=True, slots=True)
class ActionWords:
    label: str | Promise
    consequence: str | Promise
    is_danger: bool
    """What runs on the server may lose data."""


ACTION_WORDS: Final[dict[PowerAction, ActionWords]] = {
    PowerAction.ON: ActionWords(
        _("Power on"), _("The server is switched on and starts its operating system."), False
    ),
    PowerAction.SOFT_OFF: ActionWords(
        _("Soft off"),
        _(
            "The operating system is asked to shut down. It may take ten minutes, and it may "
            "refuse; then the server stays on."
        ),
        False,
    ),
    PowerAction.OFF: ActionWords(
        _("Hard power off"),
        _("Power is cut at once, as if the plug was pulled. Unsaved data is lost."),
        True,
    ),
    PowerAction.CYCLE: ActionWords(
        _("Power cycle"),
        _("Power is cut at once and comes back after some seconds. Unsaved data is lost."),
        True,
    ),
    PowerAction.RESET: ActionWords(
        _("Reset"),
        _("The server restarts at once without shutting down. Unsaved data is lost."),
        True,
    ),
    PowerAction.NMI: ActionWords(
        _("Diagnostic interrupt (NMI)"),
        _(
            "The operating system gets a diagnostic interrupt. Most stop, write a crash dump and "
            "restart. Unsaved data is lost."
        ),
        True,
    ),
}


class PowerResult:
    """Result codes of power targets, beside those of `jobs.ResultCode` and `apps.bmc.errors`."""

    ALREADY_ON: Final = "already_on"
    ALREADY_OFF: Final = "already_off"
    SERVER_OFF: Final = "server_is_off"
    VERIFIED: Final = "verified"
    RESTART_SEEN: Final = "restart_seen"
    NOT_READABLE: Final = "effect_not_readable"
    STILL_ON: Final = "still_on"
    NOT_REACHED: Final = "state_not_reached"
    NO_EVIDENCE: Final = "no_evidence"


RESULT_WORDS: Final[dict[str, str | Promise]] = {
    PowerResult.ALREADY_ON: _("It was on already; nothing was sent."),
    PowerResult.ALREADY_OFF: _("It was off already; nothing was sent."),
    PowerResult.SERVER_OFF: _("It is off, so there was nothing to restart; nothing was sent."),
    PowerResult.VERIFIED: _("Done: the new state was read from the BMC."),
    PowerResult.RESTART_SEEN: _("Done: the server was seen to restart."),
    PowerResult.NOT_READABLE: _("The BMC accepted it. Whether it worked cannot be read there."),
    PowerResult.STILL_ON: _(
        "It is still on: the operating system did not shut down in time. Look at its console; "
        "hard power off cuts the power at once."
    ),
    PowerResult.NOT_REACHED: _(
        "The BMC still reports the old state. Look at the server before you try again."
    ),
    PowerResult.NO_EVIDENCE: _(
        "The BMC gave no answer and no sign. The command may have run: look at the server's "
        "console before you repeat it."
    ),
    **{code.value: code.label for code in ResultCode if code},
}
