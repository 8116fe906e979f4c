"""Power orders on a server's page.

The page belongs to `inventory`, which stands below `power` and cannot import it; so its templates
ask. These tags run queries: one page shows one server.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.inventory.models import Server
from apps.power import pages

register = template.Library()


@register.simple_tag
def power_actions(user: User | AnonymousUser, server: Server) -> dict[str, Any]:
    """`{% power_actions user server as actions %}`: `actions.normal`, `actions.danger`."""
    links = pages.action_links(user, server)
    return {
        "normal": [link for link in links if not link.is_danger],
        "danger": [link for link in links if link.is_danger],
    }


@register.simple_tag
def power_lines(server: Server) -> list[pages.OrderLine]:
    """`{% power_lines server as lines %}`: what is being done, or how the last order ended."""
    return pages.current_lines(server)


@register.simple_tag
def power_activity(server: Server) -> list[pages.Happening]:
    """`{% power_activity server as happenings %}`: the last orders and changes."""
    return pages.activity(server)
