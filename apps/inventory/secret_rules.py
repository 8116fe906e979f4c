"""What names and secrets of BMC accounts may be: asked by form and API."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.core.text import bytes_validate, invisible_in, visible_text_validate

SECRET_BYTES: Final = 20
"""IPMI 2.0 §22.30: a password has 20 bytes at most; longer ones are cut by some BMCs."""
USERNAME_BYTES: Final = 16


def secret_clean(text: str) -> str:
    """:raises ValidationError: a sentence that does not repeat the secret."""
    bytes_validate(text, SECRET_BYTES)
    if invisible_in(text):
        raise ValidationError(_("It contains control characters. BMCs cannot be given those."))
    return text


def username_clean(text: str) -> str:
    """:raises ValidationError:"""
    visible_text_validate(text)
    bytes_validate(text, USERNAME_BYTES)
    return text
