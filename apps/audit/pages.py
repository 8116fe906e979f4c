"""Answers that pages of several apps share: a form, a form whose object is gone, a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpResponse
from django.shortcuts import render

from apps.audit.forms import VersionedForm, typed_text
from apps.audit.history import Mask, entries_of, history_lines
from apps.audit.words import Words
from apps.core.http import HtmxHttpRequest, is_fragment
from apps.core.removal import Removal

HISTORY_PAGE: Final = 50
Crumb = tuple[str, str]
"""A word and where it leads."""


def posted(request: HtmxHttpRequest) -> Any:
    """Return what was sent with POST, or None."""
    return request.POST if request.method == "POST" else None


def form_answer(
    request: HtmxHttpRequest, form: VersionedForm, template: str, context: Mapping[str, Any]
) -> HttpResponse:
    """Show a form as page or fragment; `template` is "inventory/rack_form.html".

    Its fragment has the same name with an underscore before it.
    """
    if form.is_gone:
        return gone_answer(request, form)
    folder, _, name = template.rpartition("/")
    shown = f"{folder}/_{name}" if is_fragment(request) else template
    response = render(request, shown, {"form": form, **context}, status=form.status)
    return _swapped(response) if form.stale else response


def gone_answer(request: HtmxHttpRequest, form: forms.Form) -> HttpResponse:
    """Answer for what is not there (any more), or not for this person: both look the same.

    Whoever typed something meanwhile gets it back to copy.

    :raises Http404: nothing was typed.
    """
    typed = typed_text(form) if form.is_bound else []
    if not typed:
        raise Http404
    name = "_form_gone.html" if is_fragment(request) else "form_gone.html"
    return _swapped(render(request, f"shared/{name}", {"typed": typed}, status=404))


def removal_answer(
    request: HtmxHttpRequest, removal: Removal, form: VersionedForm, crumbs: Sequence[Crumb]
) -> HttpResponse:
    """Ask before something is removed, as dialog or page."""
    if form.is_gone:
        raise Http404
    name = "_remove.html" if is_fragment(request) else "remove.html"
    context = {"removal": removal, "form": form, "crumbs": crumbs}
    return render(request, f"shared/{name}", context, status=form.status)


def history_answer(
    request: HtmxHttpRequest,
    obj: models.Model,
    words: Words,
    crumbs: Sequence[Crumb],
    *,
    is_admin: bool,
    mask: Mask | None = None,
) -> HttpResponse:
    """Show what was done to an object, by whom and why. Request numbers are for admins."""
    page = Paginator(entries_of(obj), HISTORY_PAGE).get_page(request.GET.get("page"))
    context = {
        "obj": obj,
        "page_obj": page,
        "lines": history_lines(page.object_list, words, mask),
        "crumbs": crumbs,
        "is_admin": is_admin,
    }
    return render(request, "audit/history.html", context)


def _swapped(response: HttpResponse) -> HttpResponse:
    """Let htmx put it in the place of the form, although the code is no success."""
    response["HX-Reswap"] = "outerHTML"
    return response
