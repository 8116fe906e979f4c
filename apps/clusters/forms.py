from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.clusters.models import Cluster, Site
from apps.core.text import visible_text_validate


class NameForm(forms.Form):
    """The name of a cluster or a site."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=64,
        validators=[visible_text_validate],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(
        self, data: Any = None, *, kind: type[Cluster] | type[Site], row: Cluster | Site | None
    ) -> None:
        super().__init__(data, initial={"name": row.name} if row else None)
        self.kind, self.row = kind, row

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = self.kind._default_manager.filter(name=name)
        if self.row is not None:
            others = others.exclude(pk=self.row.pk)
        if others.exists():
            raise ValidationError(_("This name is taken."))
        return name

    def store(self, call: Callable[[str], object]) -> bool:
        """Hand the name to a service; False, and a sentence, when it was taken just now."""
        try:
            call(self.cleaned_data["name"])
        except IntegrityError:
            self.add_error("name", _("This name is taken."))
            return False
        return True
