"""Power orders over REST."""

from __future__ import annotations

from apps.core.api_fields import Body, Text


class OrderBody(Body):
    reason = Text(
        required=False, allow_blank=True, max_length=500, help_text="Kept with the job and audit."
    )
