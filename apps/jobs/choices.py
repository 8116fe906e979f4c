"""The states of a target, and the one table of legal moves between them."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class TargetState(models.TextChoices):
    """Where one target of a job stands. `sent` means: the command may have run."""

    QUEUED = "queued", _("Waiting")
    LEASED = "leased", _("Starting")
    PRECHECK = "precheck", _("Reading the state")
    INTENT = "intent", _("About to send")
    SENT = "sent", _("Sent")
    VERIFYING = "verifying", _("Verifying")
    SUCCEEDED = "succeeded", _("Verified")
    ACCEPTED = "accepted", _("Accepted by the BMC")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Unknown")
    SKIPPED = "skipped", _("Nothing to do")
    CANCELLED = "cancelled", _("Stopped")

    @property
    def is_final(self) -> bool:
        return self in FINAL


_S = TargetState

FINAL: Final = frozenset(
    {_S.SUCCEEDED, _S.ACCEPTED, _S.FAILED, _S.UNKNOWN, _S.SKIPPED, _S.CANCELLED}
)
OPEN: Final = frozenset(TargetState) - FINAL
LEASED_STATES: Final = frozenset({_S.LEASED, _S.PRECHECK, _S.INTENT, _S.SENT})
"""A conversation holds the lease of the BMC."""
UNSENT: Final = frozenset({_S.QUEUED, _S.LEASED, _S.PRECHECK, _S.INTENT})
"""Certainly nothing has left: may be stopped, and started again."""
AT_WORK: Final = frozenset({_S.SENT, _S.VERIFYING})
"""The command may be changing the server: it has a transition."""

MOVES: Final[dict[TargetState, frozenset[TargetState]]] = {
    _S.QUEUED: frozenset({_S.LEASED, _S.FAILED, _S.CANCELLED}),
    _S.LEASED: frozenset({_S.PRECHECK, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.PRECHECK: frozenset({_S.INTENT, _S.SKIPPED, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.INTENT: frozenset({_S.SENT, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
    # Back to queued only when the BMC said no, or nothing left: a fresh read decides again.
    _S.SENT: frozenset({_S.VERIFYING, _S.ACCEPTED, _S.QUEUED, _S.FAILED, _S.UNKNOWN}),
    # To itself: one more read, later.
    _S.VERIFYING: frozenset({_S.VERIFYING, _S.SUCCEEDED, _S.ACCEPTED, _S.FAILED, _S.UNKNOWN}),
    **{state: frozenset() for state in FINAL},
}


class AttemptOutcome(models.TextChoices):
    """What became of one command. Empty: it may have been sent, nobody lived to tell."""

    NONE = "", _("Not known")
    ACCEPTED = "accepted", _("Answered: accepted")
    NO_REPLY = "no_reply", _("No answer")
    REFUSED = "refused", _("Answered: refused")
    BUSY = "busy", _("Answered: busy")
    NOT_SENT = "not_sent", _("Not sent")


class ResultCode(models.TextChoices):
    """Results that the engine itself gives. Handlers and `apps.bmc.errors` have their own codes."""

    NONE = "", ""
    EXPIRED = "expired", _("It waited too long and was dropped; nothing was sent")
    STOPPED = "stopped", _("Stopped before anything was sent")
    NOT_SENT = "not_sent", _("Nothing was sent")
    WRONG_IDENTITY = (
        "wrong_identity",
        _("Another machine answers at this address; nothing was sent"),
    )
    NO_CREDENTIAL = "no_credential", _("The BMC has no credential profile")
    SECRET_UNREADABLE = "secret_unreadable", _("The stored password cannot be decrypted")
    SUPERSEDED = (
        "superseded",
        _("Another command went to the server before this one could be verified"),
    )
    SERVER_REMOVED = "server_removed", _("The server was removed meanwhile")
    NOT_ALLOWED = "not_allowed", _("Whoever ordered it may not do that any more; nothing was sent")
    INTERNAL = "internal_error", _("The portal made a mistake")
