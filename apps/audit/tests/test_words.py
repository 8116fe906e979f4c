from __future__ import annotations

from typing import Any

import pytest

from apps.audit.words import Words, action_words, changes_told, words_register

WORDS = Words(
    {"name": "Name", "port": "Port", "on": "On", "tags": "Tags", "map": "Map"},
    {"port": lambda value: f"port {value}"},
)


def test_only_what_differs_is_told_in_the_order_of_the_labels() -> None:
    found = changes_told(
        {"tags": ["a"], "name": "x", "other": 1, "port": 623},
        {"tags": ["a", "b"], "name": "x", "other": 2, "port": 624},
        WORDS,
    )
    assert [(one.label, one.before, one.after) for one in found] == [
        ("Port", "port 623", "port 624"),
        ("Tags", "a", "a, b"),
        ("other", "1", "2"),
    ]


@pytest.mark.parametrize("empty", [None, "", [], {}, ()])
def test_no_value_is_an_empty_text(empty: Any) -> None:
    assert WORDS.value("name", empty) == ""
    assert not changes_told({"name": empty}, {}, WORDS)


def test_values_are_written_as_people_do() -> None:
    assert WORDS.value("on", True) == "Yes"
    assert WORDS.value("on", False) == "No"
    assert WORDS.value("name", 0) == "0"
    assert WORDS.value("map", {"a": 1, "b": 2}) == "a: 1, b: 2"


def test_a_long_text_is_compared_to_its_end() -> None:
    (change,) = changes_told({"name": "x" * 4000 + "a"}, {"name": "x" * 4000 + "b"}, WORDS)
    assert change.before.endswith("a")
    assert change.after.endswith("b")


def test_actions_have_words_of_their_own_or_of_their_kind() -> None:
    words_register(actions={"*.tested": "tested it", "one.tested": "tested this one"})
    assert action_words("one.tested") == "tested this one"
    assert action_words("other.tested") == "tested it"
    assert action_words("nobody.knows") == "nobody.knows"
