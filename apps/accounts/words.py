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
            "accounts.user.set_password": _("set the password"),
            "accounts.session.end": _("ended sessions"),
            "accounts.script_session.create": _("signed in a script"),
            "accounts.script_session.end": _("signed out a script"),
            "accounts.script_session.reuse": _("used a refresh token twice; its session was ended"),
            "accounts.api_token.create": _("made an API token"),
            "accounts.api_token.revoke": _("revoked API tokens"),
        },
        labels={
            "proofs": _("Proved by"),
            "tries": _("Tries"),
            "known_device": _("Known device"),
            "factor": _("Second factor"),
            "sessions": _("Sessions"),
            "names": _("Names"),
        },
    )
