"""What people and their access say in words: on pages and in the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.accounts.choices import Registration
from apps.audit.words import Told, Words
from apps.clusters.choices import ROLE_ORDER, Role

MOST_NAMED: Final = 3
"""Clusters that are named before "and 12 more"."""
THEMES: Final = {
    "": gettext_lazy("As the system"),
    "light": gettext_lazy("Light"),
    "dark": gettext_lazy("Dark"),
}


def role_word(role: str) -> str:
    """Return what a role is called; a role that is not known any more by its stored word."""
    return str(Role(role).label) if role in ROLE_ORDER else role


def roles_words(grants: Iterable[tuple[str, str | None]]) -> list[str]:
    """Return "Admin everywhere", "User in db, web": the strongest first; None is everywhere."""
    found: list[str] = []
    by_role: dict[str, list[str]] = {}
    for role, cluster in grants:
        if cluster is None:
            found.append(_("%(role)s everywhere") % {"role": role_word(role)})
        else:
            by_role.setdefault(role, []).append(cluster)
    for role in reversed(ROLE_ORDER):
        if role in by_role:
            found.append(_in_clusters(role, sorted(by_role[role])))
    return found


def _in_clusters(role: str, names: list[str]) -> str:
    facts = {"role": role_word(role), "names": ", ".join(names[:MOST_NAMED])}
    left = len(names) - MOST_NAMED
    if left <= 0:
        return _("%(role)s in %(names)s") % facts
    words = ngettext(
        "%(role)s in %(names)s and %(n)d more", "%(role)s in %(names)s and %(n)d more", left
    )
    return words % {**facts, "n": left}


def _flat_grants(told: Told) -> Told:
    """Take the grants apart: one fact for each place."""
    flat = {name: value for name, value in told.items() if name != "grants"}
    for place, role in (told.get("grants") or {}).items():
        label = _("Role everywhere") if place == "*" else _("Role in %(name)s") % {"name": place}
        flat[label] = role_word(role)
    return flat


def language_word(code: str) -> str:
    """Return the name of a language in itself; empty: whatever the browser asks for."""
    return LANGUAGES.get(code) or str(_("As the browser asks"))


LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "zh-hans": "简体中文"}
"""Each in its own words: who looks for it may not read the other one."""

PERSON_WORDS: Final = Words(
    {
        "username": gettext_lazy("User name"),
        "name": gettext_lazy("Name"),
        "email": gettext_lazy("Email address"),
        "is_active": gettext_lazy("May sign in"),
        "must_change_password": gettext_lazy("Must change the password"),
        "factors": gettext_lazy("Second factor"),
        "language": gettext_lazy("Language"),
        "time_zone": gettext_lazy("Time zone"),
        "theme": gettext_lazy("Theme"),
    },
    values={"language": language_word, "theme": lambda theme: THEMES.get(theme, theme)},
    flat=_flat_grants,
)

INVITATION_WORDS: Final = Words(
    {
        "name": gettext_lazy("For"),
        "email": gettext_lazy("Email address"),
        "expires_at": gettext_lazy("Expires"),
    },
    flat=_flat_grants,
)


def _registration_word(value: Any) -> Any:
    return Registration(value).label if value in Registration.values else value


POLICY_WORDS: Final = Words(
    {
        "second_factor_from": gettext_lazy("Second factor needed from"),
        "registration": gettext_lazy("Registration"),
    },
    values={"second_factor_from": role_word, "registration": _registration_word},
)

KINDS: Final[dict[str, Callable[[], Words]]] = {
    "accounts.user": lambda: PERSON_WORDS,
    "accounts.invitation": lambda: INVITATION_WORDS,
    "accounts.accesspolicy": lambda: POLICY_WORDS,
}

ACTIONS: Final = {
    "accounts.user.create": gettext_lazy("added this person"),
    "accounts.user.update": gettext_lazy("changed this person"),
    "accounts.user.profile": gettext_lazy("changed their own account"),
    "accounts.user.set_password": gettext_lazy("set a new password"),
    "accounts.sign_in": gettext_lazy("signed in"),
    "accounts.sign_in.failed": gettext_lazy("was locked out after wrong tries"),
    "accounts.lock.remove": gettext_lazy("ended the pause after wrong tries"),
    "accounts.sign_out": gettext_lazy("signed out"),
    "accounts.second_factor.add": gettext_lazy("added a second factor"),
    "accounts.second_factor.remove": gettext_lazy("removed a second factor"),
    "accounts.recovery_codes.new": gettext_lazy("made new recovery codes"),
    "accounts.oidc.link": gettext_lazy("linked the account of another service"),
    "accounts.user.disable": gettext_lazy("disabled this person"),
    "accounts.user.enable": gettext_lazy("enabled this person"),
    "accounts.user.ask_password": gettext_lazy("asked for a new password at the next sign-in"),
    "accounts.user.make_link": gettext_lazy("made a link to set a password"),
    "accounts.user.use_link": gettext_lazy("set a password with a link"),
    "accounts.user.sign_out": gettext_lazy("ended every session"),
    "accounts.user.remove_factor": gettext_lazy("removed the second factor"),
    "accounts.grants.update": gettext_lazy("changed the roles"),
    "accounts.invitation.create": gettext_lazy("made this invitation"),
    "accounts.invitation.revoke": gettext_lazy("took this invitation back"),
    "accounts.invitation.accept": gettext_lazy("accepted this invitation"),
    "accounts.policy.update": gettext_lazy("changed the access policy"),
    "accounts.session.end": gettext_lazy("ended sessions"),
    "accounts.script_session.create": gettext_lazy("signed in a script"),
    "accounts.script_session.end": gettext_lazy("signed out a script"),
    "accounts.script_session.reuse": gettext_lazy(
        "used a refresh token twice; its session was ended"
    ),
    "accounts.api_token.create": gettext_lazy("made an API token"),
    "accounts.api_token.revoke": gettext_lazy("revoked API tokens"),
}

LABELS: Final = {
    "proofs": gettext_lazy("Proved by"),
    "tries": gettext_lazy("Tries"),
    "known_device": gettext_lazy("Known device"),
    "factor": gettext_lazy("Second factor"),
    "service": gettext_lazy("Service"),
    "subject": gettext_lazy("Number there"),
    "codes": gettext_lazy("Recovery codes"),
    "sessions": gettext_lazy("Sessions"),
    "names": gettext_lazy("Names"),
}
