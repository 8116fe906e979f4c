"""What many servers become at once: each fact stays, is set, or is cleared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.audit.forms import errors_put
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.clusters.selectors import has_everywhere, scope_filter
from apps.inventory.choices import SuiteChoice
from apps.inventory.forms.base import RackField, TagsField, field_model, line_field
from apps.inventory.forms.custom_values import value_field, value_name
from apps.inventory.models import CredentialProfile, CustomField, Rack
from apps.inventory.services import ServerChanges
from apps.inventory.services.bulk import MOST_SERVERS
from apps.inventory.services.facts import LENGTHS
from apps.inventory.words import SERVER_LABELS

KEEP, SET, CLEAR = "keep", "set", "clear"
HOW: Final[list[tuple[str, str | Promise]]] = [
    (KEEP, gettext_lazy("Leave as it is")),
    (SET, gettext_lazy("Set to")),
    (CLEAR, gettext_lazy("Clear")),
]
CHOOSE: Final = gettext_lazy("Choose")
FACTS: Final = ("cluster", "rack", "model", "profile", "suite")
EMPTY: Final[dict[str, Any]] = {"cluster": None, "rack": None, "model": "", "profile": None}
TYPED_FROM: Final = 11
"""From so many servers on, their number is typed before they are removed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fact in the form: what happens to it, and the new value."""

    how: forms.BoundField
    value: forms.BoundField


def _how_field(label: Any, *, may_clear: bool = True) -> forms.ChoiceField:
    choices = HOW if may_clear else HOW[:2]
    return forms.ChoiceField(label=label, choices=choices, required=False, initial=KEEP)


class ExpectedForm(forms.Form):
    """Carries the versions of the servers that were shown."""

    expected = forms.CharField(widget=forms.HiddenInput, required=False, max_length=200_000)

    def clean_expected(self) -> dict[int, int]:
        text = self.cleaned_data["expected"] or "{}"
        try:
            found = json.loads(text)
            pairs = {int(pk): version for pk, version in found.items()}
        except (ValueError, AttributeError, RecursionError):
            raise ValidationError(_("The list of servers cannot be read. Begin again.")) from None
        is_right = all(
            type(version) is int and 0 < pk < 2**63 and 0 < version < 2**31
            for pk, version in pairs.items()
        )
        if not is_right or len(pairs) > MOST_SERVERS:
            raise ValidationError(_("The list of servers cannot be read. Begin again."))
        return pairs


class BulkEditForm(ExpectedForm):
    cluster_how = _how_field(SERVER_LABELS["cluster"])
    cluster = forms.ModelChoiceField(
        Cluster.objects.none(),
        label=SERVER_LABELS["cluster"],
        required=False,
        empty_label=CHOOSE,
    )
    rack_how = _how_field(SERVER_LABELS["rack"])
    rack = RackField(
        empty_label=CHOOSE,
        help_text=gettext_lazy("The unit is left open: say it for each server."),
    )
    model_how = _how_field(SERVER_LABELS["model"])
    model = line_field(SERVER_LABELS["model"], most=LENGTHS["model"])
    profile_how = _how_field(SERVER_LABELS["profile"])
    profile = forms.ModelChoiceField(
        CredentialProfile.objects.none(),
        label=SERVER_LABELS["profile"],
        required=False,
        empty_label=CHOOSE,
    )
    suite_how = _how_field(SERVER_LABELS["suite"], may_clear=False)
    suite = forms.ChoiceField(
        label=SERVER_LABELS["suite"],
        required=False,
        choices=[("", CHOOSE), *SuiteChoice.choices],
    )
    protection = forms.ChoiceField(
        label=gettext_lazy("Protection"),
        required=False,
        initial=KEEP,
        choices=[
            (KEEP, gettext_lazy("Leave as it is")),
            (SET, gettext_lazy("Protect, because")),
            (CLEAR, gettext_lazy("Lift the protection")),
        ],
    )
    protected_reason = line_field(
        SERVER_LABELS["protected_reason"], most=LENGTHS["protected_reason"]
    )
    tags_add = TagsField(label=gettext_lazy("Add tags"))
    tags_remove = TagsField(label=gettext_lazy("Remove tags"))
    reason = line_field(
        gettext_lazy("Reason"),
        most=500,
        help_text=gettext_lazy("Stands in the history of every server."),
    )

    def __init__(self, data: Any = None, *, actor: User) -> None:
        super().__init__(data)
        self.definitions = list(CustomField.objects.all())
        for definition in self.definitions:
            name = value_name(definition)
            self.fields[f"{name}_how"] = _how_field(definition.label)
            self.fields[name] = value_field(definition)
        clusters = field_model(self, "cluster")
        clusters.queryset = Cluster.objects.filter(scope_filter(actor, Role.OPERATOR, "pk"))
        if not has_everywhere(actor, Role.OPERATOR):
            self.fields["cluster_how"] = _how_field(SERVER_LABELS["cluster"], may_clear=False)
        field_model(self, "rack").queryset = Rack.objects.visible_to(actor)
        field_model(self, "profile").queryset = CredentialProfile.objects.usable_by(actor)

    @property
    def names(self) -> list[str]:
        """The facts that stay, are set, or are cleared."""
        return [*FACTS, *(value_name(definition) for definition in self.definitions)]

    def rows(self) -> Iterator[Row]:
        """Yield the facts as they stand in the form."""
        for name in self.names:
            yield Row(self[f"{name}_how"], self[name])
        yield Row(self["protection"], self["protected_reason"])

    def clean(self) -> dict[str, Any]:
        typed = self.cleaned_data
        for name in self.names:
            self._clean_row(f"{name}_how", name)
        self._clean_row("protection", "protected_reason")
        if not self.errors and not self._says_something():
            raise ValidationError(_("Nothing is to be changed. Set, clear or add something."))
        return typed

    def _says_something(self) -> bool:
        typed = self.cleaned_data
        how = [typed.get("protection"), *(typed.get(f"{name}_how") for name in self.names)]
        is_some = any(one in (SET, CLEAR) for one in how)
        return is_some or bool(typed.get("tags_add") or typed.get("tags_remove"))

    def _clean_row(self, how_name: str, name: str) -> None:
        """A value without its word, or a word without its value, is a slip: it is asked about."""
        if how_name in self.errors or name in self.errors:
            return
        how, value = self.cleaned_data.get(how_name) or KEEP, self.cleaned_data.get(name)
        is_empty = value in (None, "")
        if how == SET and is_empty:
            self.add_error(name, _("Say to what, or leave it as it is."))
        elif how != SET and not is_empty:
            self.add_error(how_name, _("A value stands beside it. Choose “Set to”, or empty it."))

    def changes(self) -> ServerChanges:
        """Return what the cleaned form asks for."""
        typed = self.cleaned_data
        facts = {name: self._value(name) for name in FACTS if self._is_said(name)}
        if typed["protection"] in (SET, CLEAR):
            facts["is_protected"] = typed["protection"] == SET
            facts["protected_reason"] = typed["protected_reason"]
        custom = {
            definition.key: self._value(value_name(definition))
            for definition in self.definitions
            if self._is_said(value_name(definition))
        }
        return ServerChanges(facts, typed["tags_add"], typed["tags_remove"], custom)

    def _is_said(self, name: str) -> bool:
        return self.cleaned_data.get(f"{name}_how") in (SET, CLEAR)

    def _value(self, name: str) -> Any:
        is_set = self.cleaned_data[f"{name}_how"] == SET
        return self.cleaned_data[name] if is_set else EMPTY.get(name)

    def refuse(self, error: ValidationError) -> None:
        """Show what a service said against the change itself."""
        errors_put(self, error)


class BulkRemoveForm(ExpectedForm):
    """The number of servers, typed from eleven on, and why."""

    typed_count = forms.IntegerField(
        label=gettext_lazy("Number of servers"),
        required=False,
        min_value=0,
        max_value=MOST_SERVERS,
        widget=forms.TextInput(
            attrs={"class": "mono", "inputmode": "numeric", "autocomplete": "off"}
        ),
    )
    reason = line_field(gettext_lazy("Reason"), most=500)

    def clean(self) -> dict[str, Any]:
        if self.errors:
            return self.cleaned_data
        number = len(self.cleaned_data["expected"])
        if not number:
            raise ValidationError(_("Nothing is to be removed."))
        if number >= TYPED_FROM and self.cleaned_data.get("typed_count") != number:
            self.add_error("typed_count", _("Type %(n)d to confirm.") % {"n": number})
        return self.cleaned_data
