"""What the audit tells of itself, in words."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.audit.words import words_register


def sign_in() -> None:
    """Register everything; once, when the apps are ready."""
    words_register(
        actions={"audit.export": _("exported the audit")},
        labels={"format": _("Format"), "rows": _("Rows"), "filters": _("Filters")},
    )
