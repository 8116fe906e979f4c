"""The name of a list that somebody keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext as _

from apps.audit.forms import errors_put
from apps.inventory.forms.base import name_field

StoredT = TypeVar("StoredT")


class SavedViewForm(forms.Form):
    """What a list is kept under; `query` is checked by who reads it."""

    name = name_field()
    query = forms.CharField(required=False, widget=forms.HiddenInput())

    def store(self, call: Callable[[], StoredT]) -> StoredT | None:
        """Ask a service; None and errors at the fields when it refuses."""
        try:
            return call()
        except ValidationError as error:
            errors_put(self, error)
        except IntegrityError:
            self.add_error("name", _("You have a view with this name already."))
        return None
