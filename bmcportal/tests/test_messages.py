"""Every text for people has a Chinese translation that takes the same values."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Message

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|(?<!%)\{\w+\}|%%")


def load(path: Path) -> ModuleType:
    """Import a script that lies outside the packages."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load(ROOT / "deploy" / "messages.py")


def texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]  # tuple


def key(message: Message) -> tuple[object, object]:
    return message.id, message.context


def test_texts_of_templates_and_code_are_found() -> None:
    found = {str(message.id) for message in tool.messages(tool.collect())}
    assert {"BMC does not answer.", "Skip to content", "Signed in as %(name)s"} <= found


def test_a_template_with_odd_indentation_is_read() -> None:
    code = tool.template_as_code(
        '<p>\n      {% load i18n %}\n  {% translate "One" %}\n        it\'s "this"\n'
        "{% blocktranslate count n=n trimmed %}\n {{ n }} row\n{% plural %}\n {{ n }} rows\n"
        "{% endblocktranslate %}</p>",
        "x.html",
    )
    names = {
        word for line in code.decode().splitlines() for word in re.findall(r"u'([^']*)'", line)
    }
    assert {"One", "%(n)s row", "%(n)s rows"} <= names


@pytest.mark.parametrize("locale", tool.LOCALES)
def test_every_text_is_translated_and_none_is_a_guess(locale: str) -> None:
    kept = tool.po_read(locale)
    wanted = {key(message) for message in tool.messages(tool.collect())}
    present = {key(message) for message in tool.messages(kept)}
    hint = "run: python deploy/messages.py --update, then translate"
    assert not wanted - present, hint
    assert not present - wanted, hint
    assert not [message.id for message in tool.missing(kept)], hint


@pytest.mark.parametrize("locale", tool.LOCALES)
def test_translations_take_the_same_values(locale: str) -> None:
    wrong = []
    for message in tool.messages(tool.po_read(locale)):
        wanted = set(PLACEHOLDER.findall(texts(message.id)[-1]))
        for text in texts(message.string):
            if set(PLACEHOLDER.findall(text)) != wanted:
                wrong.append((message.id, text))
    assert not wrong


@pytest.mark.parametrize("locale", tool.LOCALES)
def test_chinese_sentences_end_as_chinese_sentences_do(locale: str) -> None:
    wrong = [
        (message.id, text)
        for message in tool.messages(tool.po_read(locale))
        for text in texts(message.string)
        if text.endswith((".", "?", "!", ",")) or re.search(r"[\u4e00-\u9fff][,;:?!]", text)
    ]
    assert not wrong


def test_a_catalogue_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "On"\nmsgstr "开机"\n')
    monkeypatch.setattr(tool, "LOCALE", tmp_path)
    assert tool.main([]) == 0
    assert (folder / "django.mo").stat().st_mode & 0o777 == 0o644
    assert "开机".encode() in (folder / "django.mo").read_bytes()
    assert tool.compile_changed() == 0
    assert sorted(path.name for path in folder.iterdir()) == ["django.mo", "django.po"]
