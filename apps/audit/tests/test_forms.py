from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.http import Http404, QueryDict
from django.test import RequestFactory

from apps.audit.forms import VersionedForm, typed_text
from apps.audit.pages import gone_answer
from apps.clusters.models import Cluster


class Example(VersionedForm):
    name = forms.CharField()
    is_on = forms.BooleanField(required=False)
    colour = forms.MultipleChoiceField(
        required=False, choices=[("r", "Red"), ("Cold", [("b", "Blue")])]
    )
    password = forms.CharField(required=False, widget=forms.PasswordInput)


def example(text: str = "name=x") -> Example:
    form = Example(QueryDict(text))
    form.is_valid()
    return form


def raising(error: BaseException) -> Any:
    def call() -> None:
        raise error

    return call


def test_what_a_service_refuses_stands_at_its_field_or_above() -> None:
    form = example()
    assert form.attempt(raising(ValidationError({"name": "Taken.", "elsewhere": "No."}))) is None
    assert form.errors["name"] == ["Taken."]
    assert form.non_field_errors() == ["No."]
    form = example()
    assert not form.does(raising(ValidationError("All wrong.")))
    assert form.non_field_errors() == ["All wrong."]


def test_a_race_for_a_name_is_told() -> None:
    form = example()
    assert form.attempt(raising(IntegrityError())) is None
    assert "Somebody stored the same name" in form.non_field_errors()[0]


def test_what_is_gone_is_marked_and_rights_are_not_swallowed() -> None:
    form = example()
    assert form.attempt(raising(Cluster.DoesNotExist())) is None
    assert form.is_gone
    assert not form.does(raising(Cluster.DoesNotExist()))
    with pytest.raises(PermissionDenied):
        form.attempt(raising(PermissionDenied()))


def test_typed_text_names_choices_and_keeps_passwords_away() -> None:
    form = example("name=x&is_on=on&colour=r&colour=b&colour=zz&password=canary&version=3")
    assert typed_text(form) == [("Name", "x"), ("Is on", "Yes"), ("Colour", "Red, Blue, zz")]


def test_a_page_that_was_only_looked_at_has_nothing_to_give_back() -> None:
    request: Any = RequestFactory().get("/")
    with pytest.raises(Http404):
        gone_answer(request, Example())
    with pytest.raises(Http404):
        gone_answer(request, example(""))
