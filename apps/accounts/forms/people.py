"""What admins say about people, and what they look for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.accounts.selectors import SORTS
from apps.accounts.services.people import Grants, PersonFacts, grants_told, person_told
from apps.accounts.words import PERSON_WORDS
from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.core.text import visible_text_validate

MOST_REASON: Final = 500
IN_CLUSTERS: Final = [(role.value, role.label) for role in Role if role != Role.ADMIN]
"""Admin is granted everywhere or not at all."""


def name_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Name"),
        max_length=150,
        required=False,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


def username_field(autocomplete: str = "off") -> forms.CharField:
    attrs = {"autocomplete": autocomplete, "autocapitalize": "none", "spellcheck": "false"}
    return forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        widget=forms.TextInput(attrs=attrs),
        help_text=gettext_lazy("Letters, digits and @ . + - _"),
    )


def email_field() -> forms.EmailField:
    return forms.EmailField(
        label=gettext_lazy("Email address"),
        max_length=254,
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class PeopleFilterForm(forms.Form):
    """What the list of people is asked for."""

    q = forms.CharField(max_length=150, required=False)
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        required=False,
        choices=[
            ("", gettext_lazy("Any role")),
            *[(role.value, role.label) for role in Role],
            ("none", gettext_lazy("No role")),
        ],
    )
    cluster = forms.ModelChoiceField(
        Cluster.objects.all(),
        label=gettext_lazy("Reaches cluster"),
        required=False,
        empty_label=gettext_lazy("Any cluster"),
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[
            ("", gettext_lazy("Any state")),
            ("active", gettext_lazy("Active")),
            ("disabled", gettext_lazy("Disabled")),
            ("must_change", gettext_lazy("Must change password")),
            ("factor_needed", gettext_lazy("Second factor needed")),
            ("no_factor", gettext_lazy("No second factor")),
        ],
    )
    sort = forms.ChoiceField(required=False, choices=[(sort, sort) for sort in ("", *SORTS)])

    def asked(self) -> dict[str, Any]:
        """Return what a valid form asks the selector for."""
        typed = self.cleaned_data
        cluster: Cluster | None = typed["cluster"]
        return {
            "text": typed["q"],
            "role": typed["role"],
            "cluster": cluster.pk if cluster else None,
            "state": typed["state"],
            "sort": typed["sort"],
        }

    @property
    def is_asking(self) -> bool:
        return any(self.data.get(name) for name in ("q", "role", "cluster", "state"))


class PersonForm(VersionedForm):
    """What a person is called."""

    saved_by = "accounts."

    name = name_field()
    username = username_field()
    email = email_field()

    def __init__(self, data: Any = None, *, person: User | None = None) -> None:
        super().__init__(data, row=person, initial=person_told(person) if person else None)

    @property
    def facts(self) -> PersonFacts:
        typed = self.cleaned_data
        return PersonFacts(typed["username"], typed["name"], typed["email"])

    def words(self) -> Words:
        return PERSON_WORDS

    def told_now(self, current: Any) -> Told:
        return person_told(current)

    def store(self, call: Callable[[PersonFacts], User]) -> User | None:
        """Hand what was typed to a service; None, and the reasons, when it refuses."""
        return self.attempt(lambda: call(self.facts), self.facts.told())


class RoleFields(forms.Form):
    """One role, everywhere or in some clusters."""

    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=[("", gettext_lazy("No role yet")), *Role.choices],
        required=False,
    )
    where = forms.ChoiceField(
        label=gettext_lazy("Where"),
        choices=[
            ("everywhere", gettext_lazy("Everywhere")),
            ("clusters", gettext_lazy("Only in these clusters")),
        ],
        initial="clusters",
        required=False,
        widget=forms.RadioSelect,
    )
    clusters = forms.ModelMultipleChoiceField(
        Cluster.objects.all(),
        label=gettext_lazy("Clusters"),
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        if "role" not in typed or "where" not in typed or "clusters" not in typed:
            return typed
        if typed["role"] and not self.is_everywhere:
            if typed["role"] == Role.ADMIN:
                self.add_error("role", _("Admins are admins everywhere."))
            elif not typed["clusters"]:
                self.add_error("clusters", _("Choose a cluster, or give the role everywhere."))
        return typed

    @property
    def is_everywhere(self) -> bool:
        return bool(self.cleaned_data["where"] == "everywhere")

    @property
    def grants(self) -> Grants:
        typed = self.cleaned_data
        if not typed["role"]:
            return {}
        role = Role(typed["role"])
        if self.is_everywhere:
            return {None: role}
        return dict.fromkeys((cluster.pk for cluster in typed["clusters"]), role)


class NewPersonForm(RoleFields, PersonForm):
    """A person and their first role."""

    field_order = ("name", "username", "email", "role", "where", "clusters")


class GrantsForm(VersionedForm):
    """A role everywhere, and one for each cluster. A cluster that came meanwhile is not touched:
    whoever gave a role in it changed the version."""

    saved_by = "accounts."

    everywhere = forms.ChoiceField(
        label=gettext_lazy("Everywhere"),
        required=False,
        choices=[("", gettext_lazy("No role")), *Role.choices],
        help_text=gettext_lazy("Also servers that are in no cluster."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason or ticket"),
        required=False,
        max_length=MOST_REASON,
        validators=[visible_text_validate],
    )

    def __init__(self, data: Any = None, *, person: User) -> None:
        held: dict[int | None, str] = dict(person.grants.values_list("cluster_id", "role"))
        initial = {"everywhere": held.get(None, "")}
        super().__init__(data, row=person, initial=initial)
        # Those with a role stand first: what a person has is seen without scrolling.
        self.clusters = sorted(
            Cluster.objects.all(), key=lambda cluster: (cluster.pk not in held, cluster.name)
        )
        choices = [("", _("No role")), *IN_CLUSTERS]
        for cluster in self.clusters:
            self.fields[_field_of(cluster)] = forms.ChoiceField(
                label=cluster.name,
                required=False,
                choices=choices,
                initial=held.get(cluster.pk, ""),
            )

    def cluster_fields(self) -> Iterator[forms.BoundField]:
        return (self[_field_of(cluster)] for cluster in self.clusters)

    @property
    def grants(self) -> Grants:
        typed = self.cleaned_data
        chosen: dict[int | None, str] = {None: typed["everywhere"]}
        chosen |= {cluster.pk: typed[_field_of(cluster)] for cluster in self.clusters}
        return {place: Role(role) for place, role in chosen.items() if role}

    def words(self) -> Words:
        return PERSON_WORDS

    def told_now(self, current: Any) -> Told:
        return {"grants": grants_told(current)}

    def store(self, call: Callable[[Grants], User]) -> User | None:
        names: dict[int | None, str] = {cluster.pk: cluster.name for cluster in self.clusters}
        grants = self.grants
        yours = {names.get(place, "*"): role.value for place, role in grants.items()}
        return self.attempt(lambda: call(grants), {"grants": yours})


def _field_of(cluster: Cluster) -> str:
    return f"cluster_{cluster.pk}"


class ActForm(VersionedForm):
    """Why something is done to a person's access."""

    saved_by = "accounts."

    reason = forms.CharField(
        label=gettext_lazy("Reason or ticket"),
        max_length=MOST_REASON,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "off", "data-focus": ""}),
    )

    def __init__(self, data: Any = None, *, row: Any, needs_reason: bool = True) -> None:
        super().__init__(data, row=row)
        self.fields["reason"].required = needs_reason


class SignOutForm(ActForm):
    with_tokens = forms.BooleanField(
        label=gettext_lazy("End the API tokens too"),
        required=False,
        help_text=gettext_lazy("Scripts that use one stop working. New ones have to be made."),
    )
