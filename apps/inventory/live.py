"""What a live socket may see, and the fragments it gets. Blocking: call it in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from apps.accounts.models import User
from apps.accounts.selectors import may_come_in, zone_named
from apps.core.panels import panel_render, panels_live
from apps.inventory.models import Server
from apps.inventory.selectors import LIST_RELATED, SERVER_PAGE, clusters_by_server, rows_fetch
from apps.inventory.tables import columns_named

ROW: Final = "inventory/_server_row.html"
STATE: Final = "inventory/_server_state.html"
RACK_ROW: Final = "inventory/_rack_row.html"
RACK_SLOT: Final = "inventory/_rack_slot.html"
"""A server in the table and in the drawing of its rack."""
PANELS: Final = "panels"
"""Every live panel of a server's page."""
GONE: Final = "inventory/_server_gone.html"


class Key(NamedTuple):
    """One fragment: a template or the name of a panel, of one server, in one language and with the
    times of one zone. Rows have the columns that their page shows."""

    part: str
    server_id: int
    lang: str
    columns: tuple[str, ...] = ()
    zone: str = ""
    """The name of a time zone; empty: that of the portal."""


def signed_in(session_key: str | None) -> User | None:
    """Return who is signed in with this session now, or None.

    Reads the session again: it may have ended, or its person been disabled or changed the password,
    or be asked for a new one or for a second factor.
    """
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if isinstance(user, User) and may_come_in(user) else None


def visible_now(session_key: str | None, ids: Iterable[int]) -> dict[int, int | None] | None:
    """Return those of these servers that the session's person sees, with their clusters.

    None: nobody is signed in with this session any more.
    """
    user = signed_in(session_key)
    return None if user is None else clusters_by_server(user, ids)


def fragments_render(keys: Iterable[Key]) -> dict[Key, str]:
    """Render fragments of servers; those of servers that are gone are left out.

    Who may see them is asked by the socket before it asks for them.
    """
    wanted = list(keys)
    rows = Server.objects.filter(pk__in={key.server_id for key in wanted})
    servers = {row.pk: row for row in rows_fetch(rows.select_related(*LIST_RELATED))}
    panels = {panel.name: panel for panel in panels_live(SERVER_PAGE)}
    found: dict[Key, str] = {}
    for key in wanted:
        server = servers.get(key.server_id)
        if server is None:
            continue
        with translation.override(key.lang), timezone.override(zone_named(key.zone)):
            if key.part in panels:
                found[key] = panel_render(panels[key.part], server)
            else:
                context = {"server": server, "columns": columns_named(key.columns)}
                found[key] = render_to_string(key.part, context)
    return found


def parts_of(page: Sequence[str]) -> list[str]:
    """Return the templates and names of panels that a page is made of, in order."""
    names = [panel.name for panel in panels_live(SERVER_PAGE)]
    return [part for one in page for part in (names if one == PANELS else [one])]


def gone_render(part: str, ids: Iterable[int], columns: Sequence[str]) -> str:
    """Return what takes the place of servers that are not to be seen any more."""
    if part == RACK_SLOT:
        return "".join(render_to_string(RACK_SLOT, {"pk": pk}) for pk in ids)
    if part not in (ROW, RACK_ROW, STATE):
        return ""
    context = {"is_page": part == STATE, "width": len(columns)}
    return "".join(render_to_string(GONE, {**context, "pk": pk}) for pk in ids)


def language_of(scope: dict[str, Any], user: User | None) -> str:
    """Return the language of the page that opened the socket: the person's, or the browser's."""
    if user is not None and user.language:
        return user.language
    request = HttpRequest()
    request.COOKIES = dict(scope.get("cookies") or {})
    headers = dict(scope.get("headers") or [])
    request.META["HTTP_ACCEPT_LANGUAGE"] = headers.get(b"accept-language", b"").decode("latin-1")
    return translation.get_language_from_request(request)
