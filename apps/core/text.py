"""What a person may type as a name."""

from __future__ import annotations

import unicodedata
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that show nothing, or turn the direction of what stands beside them."""


def invisible_in(text: str) -> bool:
    return any(unicodedata.category(character) in _INVISIBLE for character in text)


def visible_text_validate(text: str) -> None:
    """Refuse control characters, direction marks and other characters that nobody can see.

    :raises ValidationError: a sentence for the person who typed it.
    """
    if invisible_in(text):
        raise ValidationError(
            _("It contains characters that cannot be seen. Type it anew instead of pasting it."),
            code="invisible",
        )


def visible_lines_validate(text: str) -> None:
    """As `visible_text_validate`, for a text of several lines with tabs.

    :raises ValidationError:
    """
    for line in text.replace("\r\n", "\n").split("\n"):
        visible_text_validate(line.replace("\t", ""))


def bytes_validate(text: str, most: int) -> None:
    """Refuse a text whose UTF-8 form is longer than a BMC can keep.

    :raises ValidationError: with how long it is.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > most:
        raise ValidationError(
            _("At most %(most)d bytes; this has %(size)d."),
            code="too_long",
            params={"most": most, "size": size},
        )
