"""Bodies and answers of the REST API, by noun."""

from __future__ import annotations
