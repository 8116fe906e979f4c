"""Texts that a BMC sends, made fit to be stored and shown."""

from __future__ import annotations

import unicodedata
from typing import Final

INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that show nothing, or turn the direction of what stands beside them."""


def clean_text(text: str, most: int) -> str:
    """Return what can be seen of it, with single spaces, at most `most` characters."""
    visible = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in INVISIBLE
    )
    return " ".join(visible.split())[:most].rstrip()
