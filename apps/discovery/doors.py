"""What discovery brings to the pages of a server: a button and the last test."""

from __future__ import annotations

from typing import Any, Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.audit.words import Label, Words, words_register
from apps.clusters.choices import Role
from apps.core.actions import Action, action_register
from apps.core.panels import Panel, panel_register
from apps.discovery.pages import shown
from apps.discovery.selectors import newest_test
from apps.inventory.models import Server
from apps.inventory.selectors import SERVER_PAGE

TEST_LABELS: Final[dict[str, Label]] = {
    "address": _("BMC address"),
    "port": _("Port"),
    "profile": _("Credential profile"),
    "suite": _("Cipher suite"),
}


def sign_in() -> None:
    """Register everything; once, when the apps are ready."""
    words_register(
        actions={"discovery.test.order": _("ordered a connection test")},
        kinds={"discovery.connectiontest": lambda: Words(TEST_LABELS)},
    )
    action_register(
        Action(
            page=SERVER_PAGE,
            name="test",
            label=_("Test connection"),
            permission=Role.OPERATOR.value,
            url=lambda server: reverse("discovery:test_server", args=[server.pk]),
            icon="plug-zap",
            order=90,
            has_dialog=False,
            why_not=_why_not,
        )
    )
    panel_register(
        Panel(SERVER_PAGE, "side", "connection-test", "discovery/_server_test.html", panel, 40)
    )


def _why_not(server: Server) -> str | Promise:
    if server.bmc.profile_id is None:
        return _("The BMC has no credential profile: nothing is sent to it.")
    return ""


def panel(server: Server) -> dict[str, Any]:
    test = newest_test(server)
    return {"server": server, "t": shown(test) if test else None}
