"""How the audit calls what people do at the door."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.audit.words import words_register


def door_words_register() -> None:
    words_register(
        actions={
            "accounts.sign_in": _("signed in"),
            "accounts.sign_in.failed": _("was locked out after wrong tries"),
            "accounts.sign_out": _("signed out"),
            "accounts.second_factor.add": _("added a second factor"),
            "accounts.second_factor.remove": _("removed a second factor"),
            "accounts.recovery_codes.new": _("made new recovery codes"),
            "accounts.oidc.link": _("linked the account of another service"),
            "accounts.user.set_password": _("set the password"),
        },
        labels={
            "proofs": _("Proved by"),
            "tries": _("Tries"),
            "known_device": _("Known device"),
            "factor": _("Second factor"),
            "service": _("Service"),
            "subject": _("Number there"),
            "codes": _("Recovery codes"),
        },
    )
