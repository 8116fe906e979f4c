"""Rules for forms, htmx and values in templates; what may not be inline is in test_templates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

FOLDER = Path(settings.BASE_DIR) / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
LONGEST = 150
FORBIDDEN = {
    "a foreign address": r"\b(src|href|action)=[\"'](https?:)?//",
    "autoescape switched off": r"{%\s*autoescape\s+off",
    "a value declared safe": r"\|\s*safe(seq)?\b",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(FOLDER))


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_every_value_is_escaped_and_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [what for what, pattern in FORBIDDEN.items() if re.search(pattern, text)]
    assert len(text.splitlines()) <= LONGEST


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_forms_that_change_something_carry_the_csrf_token(path: Path) -> None:
    for form in re.findall(r"<form\b.*?</form>", path.read_text(encoding="utf-8"), re.DOTALL):
        assert 'method="post"' not in form or "{% csrf_token %}" in form


def test_target_and_swap_stand_on_the_element_itself() -> None:
    """Nothing is inherited: the next major version of htmx does not."""
    wrong = []
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        for tag in re.findall(r"<[a-z]+\s[^>]*?\bhx-(?:get|post)=.*?>", text, re.DOTALL):
            if "hx-target=" not in tag or "hx-swap=" not in tag:
                wrong.append((name_of(path), tag[:90]))
    assert not wrong
