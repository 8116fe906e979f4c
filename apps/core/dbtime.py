"""Times of the database: one clock for all workers, whatever theirs say."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.expressions import Combinable
from django.db.models.functions import Now


def now_plus(seconds: float) -> ExpressionWrapper[Combinable]:
    """Return the database's now, moved by some (also negative) seconds."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())
