"""Panels and actions: what upper floors bring to the pages of lower ones."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core import actions, panels
from apps.core.actions import Action, action_register, actions_of, bulk_actions, row_actions
from apps.core.panels import Panel, panel_register, panel_render, panels_live, panels_of

PAGE = "test.thing"


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "_panels", {})
    monkeypatch.setattr(actions, "_actions", {})


def panel(name: str, **fields: Any) -> Panel:
    given: dict[str, Any] = {
        "page": PAGE, "region": "main", "template": "shared/_empty.html",
        "context": lambda thing: {"title": f"About {thing}"},
    }  # fmt: skip
    return Panel(name=name, **{**given, **fields})


def test_panels_stand_in_their_order_and_region() -> None:
    panel_register(panel("late", order=20))
    panel_register(panel("early", order=10, is_live=True))
    panel_register(panel("beside", region="side"))
    assert [one.name for one in panels_of(PAGE, "main")] == ["early", "late"]
    assert [one.name for one in panels_live(PAGE)] == ["early"]
    assert panels_of("test.other", "main") == []


def test_the_same_name_again_replaces_the_panel() -> None:
    panel_register(panel("one"))
    panel_register(panel("one", order=5))
    assert [one.order for one in panels_of(PAGE, "main")] == [5]


def test_a_panel_shows_its_words_escaped_or_nothing() -> None:
    shown = panel_render(panel("one"), "<b>")  # type: ignore[arg-type]  # any object will do
    assert "About &lt;b&gt;" in shown
    assert panel_render(panel("none", context=lambda _: None), "x") == ""  # type: ignore[arg-type]


def action(name: str, **fields: Any) -> Action:
    return Action(page=PAGE, name=name, label=name, permission="operator", **fields)


def test_dangerous_actions_stand_last() -> None:
    action_register(action("cut", is_danger=True, order=0, url=lambda _: "/cut"))
    action_register(action("read", order=5, url=lambda _: "/read"))
    action_register(action("many", order=9, bulk_url=lambda: "/many"))
    assert [one.name for one in actions_of(PAGE)] == ["read", "many", "cut"]
    assert [one.name for one in row_actions(PAGE)] == ["read", "cut"]
    assert [one.name for one in bulk_actions(PAGE)] == ["many"]


def test_the_short_word_stands_on_the_button() -> None:
    assert action("hard power off", short="Hard off").word == "Hard off"
    assert action("reset").word == "reset"
