"""Two people save the same thing: the second is told, and loses nothing."""

from __future__ import annotations

from django.db import models


class StaleObject(Exception):
    """It was saved by somebody else after the caller read it. `current` is how it is now."""

    def __init__(self, current: models.Model) -> None:
        super().__init__(str(current))
        self.current = current


def version_check(row: models.Model, expected: int | None) -> None:
    """Compare the version of a locked row with the one the caller read; None asks for nothing.

    :raises StaleObject:
    """
    if expected is not None and expected != getattr(row, "version"):  # noqa: B009  any versioned model
        raise StaleObject(row)
