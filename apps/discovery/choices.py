from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

PICK_UP_SECONDS: Final = 5.0
"""A test that no worker took by then is over: nobody waits for it any more."""
TALK_SECONDS: Final = 4.4
"""A conversation takes no longer, whatever the BMC does; with the bell the answer is there in 5."""
LOST_SECONDS: Final = 12.0
"""A test that was taken so long ago without an answer will have none."""
KEEP_HOURS: Final = 24
TESTS_PER_MINUTE: Final = 10
REPEAT_SECONDS: Final = 2.0
"""The same test ordered again so soon is the same press."""


class Progress(models.TextChoices):
    WAITING = "waiting", _("Waiting for a worker")
    RUNNING = "running", _("Testing")
    DONE = "done", _("Done")


class Outcome(models.TextChoices):
    """What a test itself can say; every other outcome is a code of `apps.bmc.errors`."""

    NONE = "", ""
    OK = "ok", _("The portal can talk to this BMC.")
    GUID_DIFFERS = "guid_differs", _("The system GUID differs from the record")
    SERIAL_DIFFERS = "serial_differs", _("The serial number differs from the record")
    NO_PRESENCE = "no_presence", _("No answer to the question without a login")
    TOO_SLOW = "too_slow", _("Not finished in time")
    NO_WORKER = "no_worker", _("No worker of the site is alive")
    NOT_PICKED_UP = "not_picked_up", _("No worker took the test in time")
    INTERRUPTED = "test_interrupted", _("The worker did not report back")
    INTERNAL = "internal_error", _("The portal made a mistake")
