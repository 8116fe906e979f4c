"""What is said before something is removed, and what keeps it from being removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import models


@dataclass(frozen=True, slots=True)
class Removal:
    """The question: what goes, what follows, and why it cannot be done now."""

    obj: models.Model
    url: str
    """Where the answer is posted."""
    back: str
    """Where "Cancel" leads."""
    facts: Sequence[tuple[str, str]] = ()
    """A label and what stands beside it."""
    consequences: Sequence[str] = ()
    blocked: Sequence[str] = ()
    """Why not; empty: it can be removed."""
    used_by: Sequence[tuple[str, str]] = field(default=())
    """What still uses it: a name and where it leads (empty: nowhere)."""

    @property
    def page(self) -> str:
        """The name under which upper floors add their own consequences (region "remove")."""
        return self.obj._meta.label_lower
