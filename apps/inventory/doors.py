"""What inventory itself brings to its list: reading many servers at once."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.clusters.choices import Role
from apps.core.actions import Action, action_register
from apps.inventory.selectors import SERVER_PAGE


def sign_in() -> None:
    """Register everything; once, when the apps are ready."""
    action_register(
        Action(
            page=SERVER_PAGE,
            name="read",
            label=_("Read now"),
            permission=Role.READONLY.value,
            bulk_url=lambda: reverse("inventory:server_bulk_read"),
            icon="refresh-cw",
            order=10,
            has_dialog=False,
        )
    )
