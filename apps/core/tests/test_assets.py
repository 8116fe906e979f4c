"""deploy/assets.py: fetches when something changed, and only then."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings

ICON = '<!-- @license --><svg\n  class="lucide"\n  width="24"\n>\n  <path d="M1 1" />\n</svg>\n'


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, working on a folder of its own."""
    spec = importlib.util.spec_from_file_location(
        "portal_assets", settings.BASE_DIR / "deploy" / "assets.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "templates").mkdir()
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENDOR", tmp_path / "static" / "vendor")
    monkeypatch.setattr(module, "STAMP", tmp_path / "static" / "vendor" / ".stamp")
    monkeypatch.setattr(module, "MORE_ICONS", ("zap",))
    return module


@pytest.fixture
def installs(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Each place where packages were put; nothing is fetched."""
    places: list[Path] = []

    def install(folder: Path) -> None:
        places.append(folder)
        for source in tool.FILES:
            path = folder / "node_modules" / source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("body{}/*# sourceMappingURL=tabler.min.css.map */")
        icons = folder / "node_modules" / "lucide-static" / "icons"
        icons.mkdir(parents=True)
        for name in ("zap", "power"):
            (icons / f"{name}.svg").write_text(ICON)

    monkeypatch.setattr(tool, "packages_install", install)
    return places


def template(tool: ModuleType, text: str) -> None:
    (tool.ROOT / "templates" / "a.html").write_text(text)


def test_the_second_time_fetches_nothing(
    tool: ModuleType, installs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main() == 0
    assert tool.main() == 0

    assert len(installs) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1] == "assets: up to date"
    assert not installs[0].exists()


def test_a_new_icon_or_another_lock_file_fetches_again(
    tool: ModuleType, installs: list[Path]
) -> None:
    tool.main()
    template(tool, '<b>{% icon "power" "bp-icon-s" %}</b>')
    tool.main()
    assert 'id="power"' in (tool.VENDOR / "icons.svg").read_text()

    (tool.ROOT / "package-lock.json").write_text("newer")
    tool.main()

    assert len(installs) == 3


def test_an_icon_that_does_not_exist_stops_and_keeps_what_was(
    tool: ModuleType, installs: list[Path]
) -> None:
    tool.main()
    before = (tool.VENDOR / "icons.svg").read_text()
    template(tool, '{% include "x" with icon_name="warp-core" %}')

    with pytest.raises(SystemExit, match="warp-core"):
        tool.main()

    assert (tool.VENDOR / "icons.svg").read_text() == before


def test_the_sprite_holds_shapes_only(tool: ModuleType, installs: list[Path]) -> None:
    tool.main()

    assert (tool.VENDOR / "icons.svg").read_text() == (
        '<svg xmlns="http://www.w3.org/2000/svg">\n'
        '<symbol id="zap" viewBox="0 0 24 24"><path d="M1 1" /></symbol>\n</svg>\n'
    )


def test_no_source_map_is_named_that_is_not_there(tool: ModuleType, installs: list[Path]) -> None:
    tool.main()

    assert "sourceMappingURL" not in (tool.VENDOR / "tabler.min.css").read_text()


def test_a_failed_fetch_is_said_in_one_line(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise subprocess.CalledProcessError(7, "npm")

    monkeypatch.setattr(tool, "packages_install", fail)

    assert tool.main() == 1
    assert "ended with 7" in capsys.readouterr().out
    assert not tool.STAMP.exists()
