"""The whole audit, for admins: its page and its export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.audit.export import FORMATS, MOST
from apps.audit.filtersets import EntryFilterSet
from apps.audit.history import audit_lines
from apps.audit.models import AuditEntry
from apps.audit.rates import rated
from apps.audit.selectors import entries_page, unsealed_late
from apps.audit.services import entry_record
from apps.core.http import HtmxHttpRequest

LARGEST: Final = 2**63 - 1


@require_safe
@rated("search", when=lambda request: bool(request.GET.get("q")))
def entry_list(request: HtmxHttpRequest) -> HttpResponse:
    return _page(request, _filtered(request))


@require_POST
@rated("export")
def entry_export(request: HtmxHttpRequest) -> HttpResponseBase:
    """Send what matches as a file; that it was sent is an entry itself."""
    filterset = _filtered(request)
    kind = request.POST.get("format", "")
    if kind not in FORMATS or not filterset.is_valid():
        return _page(request, filterset, HTTPStatus.UNPROCESSABLE_ENTITY)
    count = filterset.qs.order_by()[: MOST + 1].count()
    if count > MOST:
        note = _("More than %(n)s entries match. Ask for less, such as one month.") % {
            "n": f"{MOST:,}"
        }
        return _page(request, filterset, HTTPStatus.UNPROCESSABLE_ENTITY, note)
    last = filterset.qs.order_by("-pk").values_list("pk", flat=True).first() or 0
    with transaction.atomic():
        entry_record(
            actor=request.user, action="audit.export", obj=request.user,
            after={"format": kind, "rows": count, "filters": filterset.asked},
        )  # fmt: skip
    content_type, blocks = FORMATS[kind]
    # What is written from now on is not what was counted.
    found = blocks(filterset.qs.filter(pk__lte=last))
    name = f"audit-{timezone.now():%Y%m%dT%H%M%SZ}.{kind}"
    return StreamingHttpResponse(
        _asynchronous(found) if isinstance(request, ASGIRequest) else found,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _filtered(request: HtmxHttpRequest) -> EntryFilterSet:
    """:raises PermissionDenied: not an admin."""
    if not request.user.is_admin:
        raise PermissionDenied
    entries = AuditEntry.objects.visible_to(request.user)
    return EntryFilterSet(request.GET, queryset=entries, request=request)


def _page(
    request: HtmxHttpRequest, filterset: EntryFilterSet, status: int = HTTPStatus.OK, note: str = ""
) -> HttpResponse:
    # What cannot be read matches nothing: it must not look as if everything matched.
    is_clear = filterset.is_valid()
    found = filterset.qs if is_clear else AuditEntry.objects.none()
    page = entries_page(found, _place(request, "older"), _place(request, "newer"))
    context: dict[str, Any] = {
        "form": filterset.form,
        "is_asking": bool(filterset.asked),
        "is_clear": is_clear,
        "note": note,
        "lines": audit_lines(page.entries),
        "page": page,
        "unsealed": unsealed_late().order_by("pk").first(),
    }
    return render(request, "audit/entry_list.html", context, status=status)


def _place(request: HtmxHttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    is_number = text.isascii() and text.isdecimal() and len(text) < 20
    return min(int(text), LARGEST) if is_number else None


async def _asynchronous(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read each block in a thread: the event loop never waits for the database."""
    following = sync_to_async(lambda: next(blocks, None))
    while (block := await following()) is not None:
        yield block
