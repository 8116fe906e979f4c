"""What power brings to the pages of a server: buttons, the order line, the activity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.bmc import PowerAction
from apps.core.actions import Action, action_register
from apps.core.panels import Panel, panel_register
from apps.inventory.models import Server
from apps.inventory.selectors import SERVER_PAGE
from apps.power.choices import (
    ACTION_ROLE,
    ACTION_WORDS,
    IDENTIFY_ROLE,
    PowerResult,
    result_words,
)
from apps.power.pages import ACTION_ICON, orders_context
from apps.power.timeline import activity

ACTION_SHORT: Final[dict[PowerAction, str | Promise]] = {
    PowerAction.OFF: _("Hard off"),
    PowerAction.CYCLE: _("Cycle"),
    PowerAction.NMI: _("NMI"),
}
"""What stands on the button, when the whole name is too long for it."""


def sign_in() -> None:
    """Register everything; once, when the apps are ready."""
    for order, action in enumerate(PowerAction):
        action_register(
            Action(
                page=SERVER_PAGE,
                name=action.value,
                label=ACTION_WORDS[action].label,
                short=ACTION_SHORT.get(action, ""),
                permission=ACTION_ROLE[action].value,
                url=_confirm_url(action),
                icon=ACTION_ICON.get(action, ""),
                order=order,
                is_danger=ACTION_WORDS[action].is_danger,
                why_not=_why_not,
            )
        )
    action_register(
        Action(
            page=SERVER_PAGE,
            name="identify",
            label=_("Identify light for 15 s"),
            short=_("Identify"),
            permission=IDENTIFY_ROLE.value,
            url=lambda server: reverse("power:server_identify", args=[server.pk]),
            icon="lightbulb",
            order=10,
            has_dialog=False,
        )
    )
    panel_register(
        Panel(
            SERVER_PAGE,
            "state",
            "power-orders",
            "power/_server_orders.html",
            orders_context,
            10,
            True,
        )
    )
    panel_register(
        Panel(SERVER_PAGE, "main", "activity", "power/_server_activity.html", _activity, 50, True)
    )
    # Stands in no region: a confirmation includes it, and so is kept up to date while it is open.
    panel_register(
        Panel(SERVER_PAGE, "dialog", "power-state", "power/_power_state.html", _state, 60, True)
    )


def _confirm_url(action: PowerAction) -> Callable[[Server], str]:
    return lambda server: reverse("power:power_confirm", args=[server.pk, action.value])


def _why_not(server: Server) -> str:
    if not server.is_protected:
        return ""
    return result_words(PowerResult.PROTECTED, {"reason": server.protected_reason})


def _state(server: Server) -> dict[str, Any]:
    return {"server": server}


def _activity(server: Server) -> dict[str, Any]:
    return {"server": server, "happenings": activity(server)}
