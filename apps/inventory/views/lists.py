"""The server list, its filter form, what is picked in it, and reading many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.audit.rates import rated
from apps.clusters.choices import Role
from apps.core.actions import bulk_actions
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory.filtersets import is_search
from apps.inventory.listing import LeftOut, Listing, fault_words, listing_of
from apps.inventory.models import Server, ServerSelection, Tag
from apps.inventory.selectors import (
    SERVER_PAGE,
    rows_fetch,
    selection_of,
    selection_servers,
    selection_summary,
    views_and_fields,
)
from apps.inventory.services import selections
from apps.inventory.services.reading import servers_read_now
from apps.inventory.tables import Table, table_of

PAGE_SIZE: Final = 100
MOST_QUICK: Final = 3
BIGGEST_ID: Final = 2**63 - 1


@require_safe
@rated("search", when=is_search)
def server_list(request: HtmxHttpRequest) -> HttpResponse:
    listing = listing_of(request.user, request.GET)
    if request.headers.get("HX-Target") == "server-counts":
        context = {"listing": listing, "counts": listing.counts(), "params": _params(listing, {})}
        return render(request, "inventory/_server_counts.html", context)
    views, fields = views_and_fields(request.user)
    table = table_of(request.GET.get("sort", ""), request.GET.getlist("columns"), fields)
    selection = selection_of(request.user, request.GET.get("selection", ""))
    context = list_context(request, listing, table, selection) | {"views": views}
    name = "_server_list.html" if is_fragment(request) else "server_list.html"
    return render(request, f"inventory/{name}", context)


def list_context(
    request: HtmxHttpRequest, listing: Listing, table: Table, selection: ServerSelection | None
) -> dict[str, Any]:
    """Return everything that the list prints; each thing is asked for once."""
    counts = listing.counts()
    page = _page(listing, table, counts.matching, request.GET.get("page"))
    kept = table.params | ({"selection": str(selection.pk)} if selection else {})
    missing_count, missing = listing.names_missing(counts)
    blame = listing.blame() if not counts.matching and listing.params else None
    return {
        "listing": listing,
        "table": table,
        "counts": counts,
        "page_obj": page,
        "params": _params(listing, kept),
        "query": _params(listing, table.params).urlencode(),
        "chips": [(chip, _url(chip.without, kept)) for chip in listing.chips()],
        "quick": [(code, fault_words(code), n) for code, n in counts.by_fault[:MOST_QUICK]],
        "left_out": _left_out(request, listing, table, selection),
        "blame": blame,
        "blame_url": _url(blame.chip.without, kept) if blame and blame.chip else "",
        "missing_count": missing_count,
        "missing": missing,
        "picked": _picked(request, listing, selection, page),
        "may_add": listing.reach.holds(Role.OPERATOR),
    } | _bar(request, listing, selection, counts.matching)


@require_safe
def server_filter(request: HtmxHttpRequest) -> HttpResponse:
    """Show every filter there is, with what is chosen now."""
    listing = listing_of(request.user, request.GET)
    faults = listing.visible.exclude(status__fault="").order_by("status__fault")
    codes = faults.values_list("status__fault", flat=True).distinct()
    tags = Tag.objects.filter(servers__in=listing.visible).distinct()[:200]
    form = listing.filters.form
    keeps = [(k, v) for k in ("sort", "columns", "selection") for v in request.GET.getlist(k)]
    context = {
        "listing": listing,
        "form": form,
        "places": [form["cluster"], form["site"], form["rack"]],
        "faults": [(code, fault_words(code)) for code in codes],
        "tags": tags,
        "keeps": keeps,
    }
    name = "_server_filter.html" if is_fragment(request) else "server_filter.html"
    return render(request, f"inventory/{name}", context)


@require_POST
def selection_change(request: HtmxHttpRequest) -> HttpResponse:
    """Pick or unpick: `ids` (of `page_ids`, as the form without scripts sends it), all, or none."""
    query = request.POST.get("query", "")
    selection = selection_of(request.user, request.POST.get("selection", ""))
    status, error = 200, ""
    try:
        selection = _change(request, selection, query)
    except ValidationError as refused:
        status, error = 422, refused.messages[0]
    if not is_fragment(request):
        if error:
            messages.error(request, error)
        return redirect_after_post(request, _list_url(query, selection))
    listing = listing_of(request.user, QueryDict(query))
    context = _bar(request, listing, selection, listing.counts().matching)
    context |= {"query": query, "error": error}
    return render(request, "inventory/_selection_bar.html", context, status=status)


@require_POST
def server_bulk_read(request: HtmxHttpRequest) -> HttpResponse:
    """Read the selected servers now. Nothing else is sent to them."""
    wanted = request.POST.get("selection") or request.GET.get("selection", "")
    selection = selection_of(request.user, wanted)
    if selection is None:
        raise Http404
    asked = servers_read_now(actor=request.user, servers=selection_servers(request.user, selection))
    text = ngettext("%(n)d server is read now.", "%(n)d servers are read now.", asked.count)
    said = text % {"n": asked.count}
    if asked.forgiven:
        more = ngettext(
            "The refused password of %(n)d BMC is tried once more.",
            "The refused passwords of %(n)d BMCs are tried once more.",
            asked.forgiven,
        )
        said = f"{said} {more % {'n': asked.forgiven}}"
    messages.info(request, said)
    if not is_fragment(request):
        return redirect_after_post(request, _list_url(request.POST.get("query", ""), selection))
    return render(request, "shared/_toasts.html", {"oob": True}, status=202)


class _Counted(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Pages of rows that were counted already."""

    def __init__(self, rows: Any, count: int) -> None:
        super().__init__(rows if count else [], PAGE_SIZE)
        self.count = count


def _page(listing: Listing, table: Table, count: int, number: str | None) -> Page[Server]:
    rows = listing.rows().order_by(*table.ordering())
    page = _Counted(rows, count).get_page(number)
    if not count:
        return page
    # Sorted and cut by themselves; only the hundred that are left are joined with all they print.
    cut = rows[page.start_index() - 1 : page.end_index()]
    shown = Server.objects.filter(pk__in=cut.values("pk")).order_by(*table.ordering())
    page.object_list = rows_fetch(shown)
    return page


def _params(listing: Listing, more: Mapping[str, str]) -> QueryDict:
    params = listing.params.copy()
    for name, value in more.items():
        params[name] = value
    return params


def _url(params: QueryDict, more: Mapping[str, str]) -> str:
    merged = params.copy()
    for name, value in more.items():
        merged[name] = value
    return f"{reverse('inventory:server_list')}?{merged.urlencode()}"


def _list_url(query: str, selection: ServerSelection | None) -> str:
    """Return the list with this query; the words of a query are harmless, its length is bounded."""
    params = QueryDict(query[:4000], mutable=True)
    params.pop("selection", None)
    return _url(params, {"selection": str(selection.pk)} if selection else {})


def _left_out(
    request: HtmxHttpRequest, listing: Listing, table: Table, selection: ServerSelection | None
) -> list[LeftOut]:
    words = [LeftOut(_("Column or order"), word[:40]) for word in table.left_out]
    if request.GET.get("selection") and selection is None:
        words.append(LeftOut(_("Selection"), _("it is kept for a day, then gone")))
    return [*listing.left_out, *words]


def _picked(
    request: HtmxHttpRequest,
    listing: Listing,
    selection: ServerSelection | None,
    page: Page[Server],
) -> Iterable[int]:
    """Return which servers of the page are selected."""
    if selection is None:
        return ()
    if not selection.is_all:
        return set(selection.ids)
    shown = [server.pk for server in page.object_list]
    if selection.query == listing.params.urlencode():
        return set(shown) - set(selection.ids)
    chosen = selection_servers(request.user, selection, listing.reach).filter(pk__in=shown)
    return set(chosen.order_by().values_list("pk", flat=True))


def _bar(
    request: HtmxHttpRequest, listing: Listing, selection: ServerSelection | None, matching: int
) -> dict[str, Any]:
    """Return what the bar under the list prints: the true count, and what may be done."""
    if selection is None:
        return {"selection": None, "matching": matching}
    doable = [a for a in bulk_actions(SERVER_PAGE) if listing.reach.holds(Role(a.permission))]
    return {
        "selection": selection,
        "summary": selection_summary(request.user, selection, listing.reach),
        "matching": matching,
        "is_all_matching": selection.is_all and selection.query == listing.params.urlencode(),
        "bulk": [
            (action, f"{action.bulk_url()}?selection={selection.pk}")
            for action in doable
            if action.bulk_url is not None
        ],
    }


def _change(
    request: HtmxHttpRequest, selection: ServerSelection | None, query: str
) -> ServerSelection | None:
    act = request.POST.get("act", "set")
    if act == "clear":
        if selection is not None:
            selections.selection_clear(actor=request.user, selection=selection)
        return None
    if act == "all":
        return selections.selection_all(actor=request.user, selection=selection, query=query)
    ids, page_ids = _ids(request.POST.getlist("ids")), _ids(request.POST.getlist("page_ids"))
    if act == "untick":
        ids, page_ids = set(), ids
    return selections.selection_change(
        actor=request.user, selection=selection, tick=ids, untick=page_ids - ids
    )


def _ids(texts: Iterable[str]) -> set[int]:
    """:raises ValidationError: something is not the number of a server."""
    wanted = set()
    for text in texts:
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise ValidationError(_("What was picked is not understood. Load the list again."))
        wanted.add(min(int(text), BIGGEST_ID))
    return wanted
