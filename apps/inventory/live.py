"""What a live socket may see, and the fragments it gets. Blocking: call it in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import translation

from apps.accounts.models import User
from apps.core.panels import panel_render, panels_live
from apps.inventory.selectors import SERVER_PAGE, clusters_by_server, servers_full

ROW: Final = "inventory/_server_row.html"
STATE: Final = "inventory/_server_state.html"
RACK_ROW: Final = "inventory/_rack_row.html"
RACK_SLOT: Final = "inventory/_rack_slot.html"
"""A server in the table and in the drawing of its rack."""
PANELS: Final = "panels"
"""Every live panel of a server's page."""
GONE: Final = "inventory/_server_gone.html"


def signed_in(session_key: str | None) -> User | None:
    """Return who is signed in with this session now, or None.

    Reads the session again: it may have ended, or its person been disabled or changed the password.
    """
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None


def visible_now(session_key: str | None, ids: Iterable[int]) -> dict[int, int | None] | None:
    """Return those of these servers that the session's person sees, with their clusters.

    None: nobody is signed in with this session any more.
    """
    user = signed_in(session_key)
    return None if user is None else clusters_by_server(user, ids)


def render_live(
    session_key: str | None,
    ids: Sequence[int],
    gone: Sequence[int],
    templates: Sequence[str],
    lang: str,
) -> list[str]:
    """Return frames with the fragments of these servers, as this person may see them now.

    One frame for each template: a browser that parses a table's row and a form from one text
    throws half of them away.
    """
    user = signed_in(session_key)
    if user is None:
        return []
    with translation.override(lang):
        servers = list(servers_full(user).filter(pk__in=ids))
        frames = []
        for template in templates:
            if template == PANELS:
                frames += [
                    panel_render(panel, server)
                    for panel in panels_live(SERVER_PAGE)
                    for server in servers
                ]
                continue
            html = [render_to_string(template, {"server": server}) for server in servers]
            frames.append("".join(html) + _gone(template, gone))
    return [frame for frame in frames if frame]


def _gone(template: str, gone: Sequence[int]) -> str:
    if template == RACK_SLOT:
        return "".join(render_to_string(RACK_SLOT, {"pk": pk}) for pk in gone)
    is_page = template == STATE
    return "".join(render_to_string(GONE, {"pk": pk, "is_page": is_page}) for pk in gone)


def language_of(scope: dict[str, Any]) -> str:
    """Return the language of the page that opened the socket."""
    request = HttpRequest()
    request.COOKIES = dict(scope.get("cookies") or {})
    headers = dict(scope.get("headers") or [])
    request.META["HTTP_ACCEPT_LANGUAGE"] = headers.get(b"accept-language", b"").decode("latin-1")
    return translation.get_language_from_request(request)
