"""Power orders over REST."""

from __future__ import annotations

from apps.core.api_fields import Body, Flag, Number, Text
from apps.jobs.services import MOST_GRACE_SECONDS
from apps.power.choices import IDENTIFY_SECONDS, MOST_IDENTIFY_SECONDS


def _reason() -> Text:
    return Text(
        required=False, allow_blank=True, max_length=500, help_text="Kept with the job and audit."
    )


class OrderBody(Body):
    reason = _reason()
    grace_seconds = Number(
        required=False,
        min_value=0,
        max_value=MOST_GRACE_SECONDS,
        help_text="So long nothing is sent, and stopping the job is certain to win. "
        "Left out: what the portal does by default, as on its pages.",
    )
    escalate = Flag(
        required=False,
        help_text="With soft_off, for operators: cut the power if it is still on at the end.",
    )


class IdentifyBody(Body):
    seconds = Number(
        required=False,
        min_value=0,
        max_value=MOST_IDENTIFY_SECONDS,
        help_text=f"How long the light is on; 0 turns it off. Left out: {IDENTIFY_SECONDS}.",
    )
    reason = _reason()
