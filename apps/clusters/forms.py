from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.forms import VersionedForm
from apps.audit.words import Told, Words
from apps.clusters.models import Cluster, Site
from apps.clusters.words import NAME_WORDS
from apps.core.text import visible_text_validate

RowT = TypeVar("RowT", Cluster, Site)


class NameForm(VersionedForm):
    """The name of a cluster or a site."""

    saved_by = "clusters."

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=64,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(
        self, data: Any = None, *, kind: type[Cluster] | type[Site], row: Cluster | Site | None
    ) -> None:
        super().__init__(data, row=row, initial={"name": row.name} if row else None)
        self.kind = kind

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = self.kind._default_manager.filter(name=name)
        if self.row is not None:
            others = others.exclude(pk=self.row.pk)
        if others.exists():
            raise ValidationError(_("This name is taken."))
        return name

    def words(self) -> Words:
        return NAME_WORDS

    def told_now(self, current: Any) -> Told:
        return {"name": current.name}

    def store(self, call: Callable[[str, int | None], RowT]) -> RowT | None:
        """Hand the name and the version to a service; None, and the reasons, when it refuses."""
        name = self.cleaned_data["name"]
        return self.attempt(lambda: call(name, self.expected_version), {"name": name})
