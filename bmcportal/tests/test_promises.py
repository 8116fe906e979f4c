from __future__ import annotations

import re
from pathlib import Path

import pytest

from bmcportal.tests.production import ROOT

PROMISES = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`((?:apps|bmcportal)/[\w/]+\.py)(?:::(\w+))?`", PROMISES)


def test_promises_name_tests() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_a_test_that_a_promise_names_exists(path: str, name: str) -> None:
    file: Path = ROOT / path
    assert file.is_file()
    if name:
        assert re.search(rf"^(async )?def {name}\(", file.read_text(encoding="utf-8"), re.M)


def test_every_line_names_a_test_or_says_what_is_missing() -> None:
    for line in PROMISES.splitlines():
        if re.match(r"\| [A-Z]\d+ \|", line):
            assert "::" in line or ".py`" in line or "*Partly*" in line, line
