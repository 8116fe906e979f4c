"""What holds for every template: nothing inline, a head comment, icons that exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

TEMPLATES = settings.BASE_DIR / "templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))

INLINE = re.compile(
    r"<style|\sstyle\s*=|<script(?![^>]*\bsrc=)|\son[a-z]+\s*=\s*[\"']|hx-on|\bjs:|javascript:"
    r"|hx-vals\s*=\s*[\"']?\s*javascript|hx-trigger\s*=\s*\"[^\"]*\[|hx-vars",
    re.IGNORECASE,
)
COMMENT = re.compile(r"{#.*?#}|{%\s*comment\s*%}.*?{%\s*endcomment\s*%}", re.DOTALL)


def read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_inline(name: str) -> None:
    found = INLINE.search(COMMENT.sub("", read(name)))

    assert found is None, found


@pytest.mark.parametrize("name", [n for n in NAMES if "/_" in n or n in ("base.html",)])
def test_a_part_says_what_it_needs(name: str) -> None:
    head = read(name)[:900]

    assert COMMENT.search(head), "starts with a comment that lists blocks and context"
    assert "ontext" in head


@pytest.mark.parametrize(
    "bad",
    [
        '<p style="color:red">', "<script>1</script>", '<a onclick="x()">', '<b hx-on:click="x">',
        '<a href="javascript:1">', '<b hx-vals="js:{a: 1}">', '<i hx-trigger="click[ctrlKey]">',
        "<style>b{}</style>",
    ],
)  # fmt: skip
def test_the_scan_finds_what_it_is_for(bad: str) -> None:
    assert INLINE.search(bad)


def test_every_icon_in_use_is_in_the_sprite() -> None:
    sys.path.insert(0, str(settings.BASE_DIR / "deploy"))
    try:
        import assets
    finally:
        sys.path.pop(0)
    sprite = Path(settings.BASE_DIR / "static/vendor/icons.svg")
    if not sprite.is_file():
        pytest.skip("the assets are not fetched; `make assets` does it")

    missing = [n for n in assets.icons_in_use() if f'id="{n}"' not in sprite.read_text("utf-8")]

    assert not missing, "run `make assets`: it stops at icons that lucide does not have"


def test_the_lock_file_names_no_registry() -> None:
    lock = (settings.BASE_DIR / "package-lock.json").read_text(encoding="utf-8")

    assert '"resolved"' not in lock
    assert '"integrity"' in lock
