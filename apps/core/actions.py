"""Buttons of a lower floor's pages that upper floors bring: on one object, and on a selection.

They sign in at `AppConfig.ready`. A button is a courtesy: the page behind it asks for the rights
again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise


def never(_: Any) -> str:
    """Say of every object that nothing keeps this action from it."""
    return ""


@dataclass(frozen=True, slots=True)
class Action:
    """What may be done to an object of a model, and to many."""

    page: str
    """The label of the object's model, such as "inventory.server"."""
    name: str
    label: str | Promise
    permission: str
    """The least role that may, as in `clusters.choices.Role`."""
    url: Callable[[Any], str] | None = None
    """The page of this action for one object."""
    bulk_url: Callable[[], str] | None = None
    """The page for a selection; it is given `?selection=<uuid>`."""
    short: str | Promise = ""
    """What stands on the button, when the whole name is too long for it."""
    icon: str = ""
    order: int = 100
    is_danger: bool = False
    """It interrupts what runs, or cannot be undone."""
    has_dialog: bool = True
    """Something is asked before: the button ends with an ellipsis and opens a dialog."""
    why_not: Callable[[Any], str | Promise] = never
    """Why it cannot be done to this object now; empty: it can."""

    @property
    def word(self) -> str | Promise:
        return self.short or self.label


_actions: dict[tuple[str, str], Action] = {}


def action_register(action: Action) -> None:
    """Sign in; the same name again replaces the action."""
    _actions[action.page, action.name] = action


def actions_of(page: str) -> list[Action]:
    """Return every action of a model in the order of the menu."""
    found = [action for action in _actions.values() if action.page == page]
    return sorted(found, key=lambda action: (action.is_danger, action.order, action.name))


def row_actions(page: str) -> list[Action]:
    return [action for action in actions_of(page) if action.url is not None]


def bulk_actions(page: str) -> list[Action]:
    return [action for action in actions_of(page) if action.bulk_url is not None]
