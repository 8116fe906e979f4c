"""Regions of a lower floor's page that upper floors fill. They sign in at `AppConfig.ready`.

A page names its regions in its template, `{% panels "inventory.server" "main" server %}`, and
knows nothing of who fills them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.template.loader import render_to_string
from django.utils.safestring import SafeString


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of a page about one object.

    `template` has one root element whose id ends in nothing but the panel's own name, or in the
    object's number. `context` may run queries: a page shows one object. With `is_live` it is also
    sent over the socket, so nothing in it may depend on who looks.
    """

    page: str
    """The label of the object's model, such as "inventory.server"."""
    region: str
    name: str
    template: str
    context: Callable[[Any], Mapping[str, Any] | None]
    """Called with the object; None: there is nothing to show."""
    order: int = 100
    is_live: bool = False


_panels: dict[tuple[str, str], Panel] = {}


def panel_register(panel: Panel) -> None:
    """Sign in; the same name again replaces the panel."""
    _panels[panel.page, panel.name] = panel


def panels_of(page: str, region: str) -> list[Panel]:
    """Return the panels of a region in the order in which they stand there."""
    found = [panel for panel in _panels.values() if (panel.page, panel.region) == (page, region)]
    return sorted(found, key=lambda panel: (panel.order, panel.name))


def panels_live(page: str) -> list[Panel]:
    """Return the panels of a page that are sent when the object changes."""
    found = [panel for panel in _panels.values() if panel.page == page and panel.is_live]
    return sorted(found, key=lambda panel: (panel.order, panel.name))


def panel_render(panel: Panel, obj: models.Model, extra: Mapping[str, Any] | None = None) -> str:
    """Return its HTML, or an empty string when it has nothing to show."""
    context = panel.context(obj)
    if context is None:
        return SafeString("")
    return render_to_string(panel.template, {**(extra or {}), **context})
