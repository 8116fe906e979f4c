"""Change and remove many servers: first what would happen, then all of it or nothing."""

from __future__ import annotations

import json
import uuid
from typing import Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from apps.audit.pages import posted
from apps.core.http import HtmxHttpRequest, redirect_after_post
from apps.inventory import services
from apps.inventory.consequences import preview_lines, servers_consequences
from apps.inventory.forms import BulkEditForm, BulkRemoveForm
from apps.inventory.forms.bulk import TYPED_FROM
from apps.inventory.models import Server, ServerSelection
from apps.inventory.selectors import may_add_servers, selection_servers, tags_for
from apps.inventory.services.bulk import BATCH, MOST_SERVERS

MOST_SHOWN: Final = 200
"""So many servers are listed one by one; the rest is counted."""


@require_http_methods(["GET", "HEAD", "POST"])
def servers_edit(request: HtmxHttpRequest) -> HttpResponse:
    servers = _picked(request, _selection(request))
    if servers is None:
        return _too_many(request)
    form = BulkEditForm(posted(request), actor=request.user)
    step = request.POST.get("step")
    if form.is_valid() and step != "edit":
        try:
            answer = _edit_step(request, form, servers, is_apply=step == "apply")
        except ValidationError as error:
            form.refuse(error)
        except IntegrityError:  # what they were to become was removed at this moment
            form.add_error(None, _("Somebody changed something at this moment. Look again."))
        else:
            return answer
    context = {"form": form, "servers": servers, "tag_names": tags_for(request.user)}
    is_wrong = form.is_bound and step != "edit" and bool(form.errors)
    status = 422 if is_wrong else 200
    return render(request, "inventory/servers_edit.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def servers_delete(request: HtmxHttpRequest) -> HttpResponse:
    servers = _picked(request, _selection(request))
    if servers is None:
        return _too_many(request)
    form = BulkRemoveForm(posted(request))
    outcome = None
    if form.is_valid():
        outcome = services.servers_delete(
            actor=request.user,
            servers=_named(request, form.cleaned_data["expected"]),
            expected=form.cleaned_data["expected"],
            reason=form.cleaned_data["reason"],
        )
        if outcome.is_written:
            _tell(request, _removed_words(len(outcome.removed)))
            return redirect_after_post(request, reverse("inventory:server_list"))
    return _delete_page(request, form, servers, outcome)


def _edit_step(
    request: HtmxHttpRequest, form: BulkEditForm, servers: list[Server], *, is_apply: bool
) -> HttpResponse:
    """:raises ValidationError, IntegrityError: the change itself is wrong, for every server."""
    changes = form.changes()
    if is_apply:
        expected = form.cleaned_data["expected"]
        outcome = services.servers_edit(
            actor=request.user,
            servers=_named(request, expected),
            changes=changes,
            expected=expected,
            reason=form.cleaned_data["reason"],
        )
        if outcome.is_written:
            _tell(request, _changed_words(len(outcome.changed)))
            return redirect_after_post(request, reverse("inventory:server_list"))
        return _preview_page(request, form, outcome, is_late=True)
    outcome = services.servers_edit_preview(actor=request.user, servers=servers, changes=changes)
    return _preview_page(request, form, outcome, is_late=False)


def _preview_page(
    request: HtmxHttpRequest, form: BulkEditForm, outcome: services.EditOutcome, *, is_late: bool
) -> HttpResponse:
    context = {
        "form": form,
        "outcome": outcome,
        "lines": preview_lines(outcome, MOST_SHOWN),
        "expected": json.dumps(outcome.versions),
        "is_late": is_late,
        "most": MOST_SHOWN,
    }
    status = 409 if is_late else 200
    return render(request, "inventory/servers_edit_preview.html", context, status=status)


def _delete_page(
    request: HtmxHttpRequest,
    form: BulkRemoveForm,
    servers: list[Server],
    late: services.DeleteOutcome | None,
) -> HttpResponse:
    """Ask, with what there is now; `late` is what refused to be removed a moment ago."""
    outcome = services.servers_delete_preview(actor=request.user, servers=servers)
    if late is not None:
        form = BulkRemoveForm(initial={"reason": form.cleaned_data["reason"]})
    context = {
        "form": form,
        "outcome": outcome,
        "late": late,
        "expected": json.dumps(outcome.versions),
        "consequences": servers_consequences(outcome),
        "must_type": len(outcome.removed) >= TYPED_FROM,
        "most": MOST_SHOWN,
    }
    status = 409 if late is not None else 422 if form.is_bound else 200
    return render(request, "inventory/servers_delete.html", context, status=status)


def _selection(request: HtmxHttpRequest) -> ServerSelection:
    """:raises PermissionDenied: operator of nothing. :raises Http404: not this person's."""
    if not may_add_servers(request.user):
        raise PermissionDenied
    try:
        key = uuid.UUID(request.GET.get("selection", ""))
    except ValueError:
        raise Http404 from None
    return get_object_or_404(ServerSelection, uuid=key, user=request.user)


def _picked(request: HtmxHttpRequest, selection: ServerSelection) -> list[Server] | None:
    """Return the picked servers; None: more than can be changed at once."""
    if len(selection.ids) > MOST_SERVERS:
        return None
    rows = selection_servers(request.user, selection).order_by("name")
    servers = list(rows[: MOST_SERVERS + 1])
    return servers if len(servers) <= MOST_SERVERS else None


def _named(request: HtmxHttpRequest, expected: dict[int, int]) -> list[Server]:
    """Return those of these servers that this person may see."""
    ids, found = sorted(expected), list[Server]()
    for start in range(0, len(ids), BATCH):
        rows = Server.objects.visible_to(request.user)
        found += rows.filter(pk__in=ids[start : start + BATCH])
    return found


def _too_many(request: HtmxHttpRequest) -> HttpResponse:
    context = {"most": MOST_SERVERS}
    return render(request, "inventory/servers_too_many.html", context, status=422)


def _tell(request: HtmxHttpRequest, words: str) -> None:
    messages.success(request, words)


def _changed_words(number: int) -> str:
    return ngettext("%(n)d server changed.", "%(n)d servers changed.", number) % {"n": number}


def _removed_words(number: int) -> str:
    return ngettext("%(n)d server removed.", "%(n)d servers removed.", number) % {"n": number}
