"""Every action that is recorded anywhere has words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest
from django.apps import apps

from apps.audit.words import action_words, actions_known, kinds_known
from bmcportal.tests.production import ROOT

DOTTED: Final = re.compile(r"(accounts|audit|clusters|discovery|inventory)(\.[a-z_]+){2,3}\Z")
KNOWN: Final = [name for name, _words in actions_known()]


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted([*ROOT.glob("apps/**/*.py"), *ROOT.glob("bmcportal/**/*.py")]):
        text = path.read_text(encoding="utf-8")
        if "tests" not in path.parts and re.search(r"\bentry_(record|build)\b", text):
            yield str(path.relative_to(ROOT)), ast.parse(text)


def recorded(tree: ast.Module) -> set[str]:
    """Return the actions of a module; what is put together at run time with "…" in its place."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "action":
            found |= {_text(node.value)}
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and DOTTED.match(_text(node)):
            found |= {_text(node)}
        if isinstance(node, ast.JoinedStr) and _text(node).startswith("accounts."):
            found |= {_text(node)}
    return found - {""}


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values)) if node.values else ""
    if isinstance(node, ast.FormattedValue):
        return "…"
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


SOURCES: Final = list(sources())


@pytest.mark.parametrize(("path", "tree"), SOURCES, ids=[path for path, _tree in SOURCES])
def test_every_action_in_the_source_has_words(path: str, tree: ast.Module) -> None:
    for action in recorded(tree):
        if action.startswith("…"):
            assert action.replace("…", "*") in KNOWN
        elif "…" in action:
            pattern = re.compile(re.escape(action).replace("…", "[a-z_]+"))
            assert any(pattern.fullmatch(name) for name in KNOWN), action
        else:
            assert action_words(action) != action


def test_sources_were_found() -> None:
    actions = set().union(*(recorded(tree) for _path, tree in SOURCES))
    assert {"job.stop", "inventory.server.update", "accounts.sign_in", "….order"} <= actions
    assert len(actions) > 30


@pytest.mark.parametrize("kind", ["site", "cluster"])
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_sites_and_clusters_make_theirs_of_kind_and_verb(kind: str, verb: str) -> None:
    assert f"clusters.{kind}.{verb}" in KNOWN


def test_every_kind_is_a_model() -> None:
    for kind, words in kinds_known():
        assert apps.get_model(kind)._meta.verbose_name == words
