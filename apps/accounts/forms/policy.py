from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.accounts.choices import Registration
from apps.accounts.models import AccessPolicy
from apps.accounts.selectors import factor_counts
from apps.accounts.services.policy import policy_told
from apps.accounts.words import POLICY_WORDS
from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words
from apps.clusters.choices import Role


class PolicyForm(VersionedForm):
    """How people come in. Each choice says whom it would ask, and how many are not ready."""

    saved_by = "accounts.policy."

    second_factor_from = forms.ChoiceField(
        label=gettext_lazy("Who needs a second factor"), required=False, widget=forms.RadioSelect
    )
    registration = forms.ChoiceField(
        label=gettext_lazy("How people come to have an account"), widget=forms.RadioSelect
    )

    def __init__(self, data: Any = None, *, policy: AccessPolicy) -> None:
        super().__init__(data, row=policy, initial=policy_told(policy))
        asked, registration = self.fields["second_factor_from"], self.fields["registration"]
        counts = factor_counts()
        asked.choices = [  # type: ignore[attr-defined]  # a choice field
            ("", _("Nobody")),
            *[(role.value, _choice_words(role, *counts[role.value])) for role in reversed(Role)],
        ]
        registration.choices = [  # type: ignore[attr-defined]  # a choice field
            (Registration.OFF.value, _("Admins make accounts")),
            (Registration.INVITATION.value, _("Admins make accounts, and links to make one")),
        ]

    def words(self) -> Words:
        return POLICY_WORDS

    def told_now(self, current: Any) -> Told:
        return policy_told(current)

    def store(self, call: Callable[[str, str], AccessPolicy]) -> AccessPolicy | None:
        typed = dict(self.cleaned_data)
        typed.pop("version")
        factor, registration = typed["second_factor_from"], typed["registration"]
        return self.attempt(lambda: call(factor, registration), typed)


def _choice_words(role: Role, people: int, without: int) -> str:
    """Return "Operators and above: 8 people, 3 of them have none yet"."""
    who = {
        Role.ADMIN: _("Admins"),
        Role.OPERATOR: _("Operators and admins"),
        Role.USER: _("Users, operators and admins"),
        Role.READONLY: _("Everybody who has a role"),
    }[role]
    words = ngettext("%(who)s: %(n)d person", "%(who)s: %(n)d people", people)
    told = words % {"who": who, "n": people}
    if not without:
        return told
    rest = ngettext("%(n)d has none yet", "%(n)d have none yet", without) % {"n": without}
    return f"{told}, {rest}"
