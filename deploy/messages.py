"""Compile the translations; with `--update`, collect new texts first.

`make messages` compiles what has changed, with Babel: no gettext tools are needed. After texts in
templates or code have changed, `python deploy/messages.py --update` merges them into each .po file
and says what has no translation yet.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).resolve().parent.parent
LOCALE: Final = ROOT / "locale"
LOCALES: Final = ("zh_Hans",)
CODE: Final = ("apps", "bmcportal")
KEYWORDS: Final = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
LINE_WIDTH: Final = 100


def po_path(locale: str) -> Path:
    return LOCALE / locale / "LC_MESSAGES" / "django.po"


def po_read(locale: str) -> Catalog:
    with po_path(locale).open("rb") as file:
        return read_po(file, locale=locale, domain="django")


def sources() -> Iterator[tuple[str, str, bytes]]:
    """Yield name, kind of extraction and text of every file with texts for people."""
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT)
            if not {"tests", "migrations"} & set(name.parts):
                yield str(name), "python", path.read_bytes()
    for path in sorted((ROOT / "templates").rglob("*.html")):
        name = path.relative_to(ROOT)
        yield str(name), "python", template_as_code(path.read_text(encoding="utf-8"), str(name))


def template_as_code(text: str, name: str) -> bytes:
    """Return the texts of a Django template as calls that Babel's Python extractor reads."""
    # Imported here: compiling at set-up needs Babel only.
    from django.conf import settings
    from django.utils.translation.template import templatize

    if not settings.configured:
        settings.configure()
    lines = templatize(text, origin=name).splitlines()
    # What is no text has become rows of X; without indentation they cannot upset the tokenizer.
    return "\n".join(line.strip() for line in lines).encode()


def collect() -> Catalog:
    """Return every text for people that stands in code and templates."""
    found = Catalog(domain="django", charset="utf-8")
    for name, method, text in sources():
        results = extract(method, io.BytesIO(text), KEYWORDS, options={"encoding": "utf-8"})
        for line, message, _comments, context in results:
            if message:
                found.add(message, locations=[(name, line)], context=context)
    return found


def messages(catalog: Catalog) -> list[Message]:
    """Return the messages without the header, which has an empty id."""
    return [message for message in catalog if message.id]


def missing(catalog: Catalog) -> list[Message]:
    """Return what is untranslated or only guessed."""
    return [
        message
        for message in messages(catalog)
        if message.fuzzy or not all(_strings(message)) or not _strings(message)
    ]


def _strings(message: Message) -> tuple[str, ...]:
    found = message.string
    return (found,) if isinstance(found, str) else tuple(found or ())


def update() -> int:
    """Merge the texts of the sources into each .po; return how many wait for a translation."""
    found, waiting = collect(), 0
    for locale in LOCALES:
        path = po_path(locale)
        path.parent.mkdir(parents=True, exist_ok=True)
        catalog = po_read(locale) if path.exists() else Catalog(locale=locale, domain="django")
        catalog.project, catalog.version = "BMC Portal", "1"
        catalog.header_comment, catalog.fuzzy = f"# BMC Portal in {locale}.", False
        catalog.update(found, no_fuzzy_matching=True, update_creation_date=False)
        catalog.obsolete.clear()
        with path.open("wb") as file:
            write_po(
                file, catalog, width=LINE_WIDTH, sort_by_file=True, include_lineno=False,
                omit_header=False, ignore_obsolete=True,
            )  # fmt: skip
        for message in missing(catalog):
            print(f"messages: {locale} lacks {message.id!r}")
            waiting += 1
    return waiting


def compile_changed() -> int:
    """Write a .mo beside each .po that is newer; return how many were written."""
    written = 0
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        target = path.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= path.stat().st_mtime:
            continue
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parent.parent.name, domain=path.stem)
        # Whole or not at all: a portal that is running may read it now.
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as fresh:
            write_mo(fresh, catalog)
        os.chmod(fresh.name, 0o644)
        os.replace(fresh.name, target)
        written += 1
    return written


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--update"]):
        print(__doc__)
        return 2
    waiting = update() if arguments else 0
    written = compile_changed()
    print(f"messages: {written} compiled" if written else "messages: up to date")
    return 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
