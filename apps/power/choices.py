"""Power actions: who may order them, and what they mean, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise, lazy
from django.utils.translation import gettext_lazy as _

from apps.bmc import PowerAction, PowerState
from apps.clusters.choices import Role
from apps.core.faults import fault_of
from apps.inventory.choices import Transition
from apps.jobs.choices import ResultCode

KIND: Final = "power"
IDENTIFY_KIND: Final = "identify"
KINDS: Final = (KIND, IDENTIFY_KIND)

IDENTIFY_ROLE: Final = Role.USER
IDENTIFY_SECONDS: Final = 15
MOST_IDENTIFY_SECONDS: Final = 255

PROD_TAG: Final = "prod"
"""Interrupting a server with this tag asks for its name to be typed."""

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

GRACE: Final = frozenset(PowerAction) - {PowerAction.ON}
"""These wait for `POWER_GRACE_SECONDS` before anything is sent, so that a person may cancel."""

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
    PROTECTED: Final = "protected"
    LIGHT_OFF: Final = "light_is_off"


_RESULT_CODES: Final = (
    *(value for name, value in vars(PowerResult).items() if name.isupper()),
    *(code.value for code in ResultCode if code),
)


def result_words(code: str, params: Mapping[str, Any] | None = None) -> str:
    """Return what happened and what is known, in the words that every page and the API use."""
    fault = fault_of(code, params)
    return " ".join(part for part in (fault.title, fault.cause) if part)


_result_words_lazy = lazy(result_words, str)

RESULT_WORDS: Final[dict[str, str | Promise]] = {
    code: _result_words_lazy(code) for code in _RESULT_CODES
}
"""By code, for results without parameters."""
