"""Lists that a person keeps under a name: add, rename, remove."""

from __future__ import annotations

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory.forms import SavedViewForm
from apps.inventory.listing import listing_of
from apps.inventory.models import SavedView
from apps.inventory.selectors import views_and_fields
from apps.inventory.services import saved_views
from apps.inventory.tables import table_of


@require_safe
def view_list(request: HtmxHttpRequest) -> HttpResponse:
    views, _fields = views_and_fields(request.user)
    return render(request, "inventory/server_view_list.html", {"views": views})


@require_http_methods(["GET", "HEAD", "POST"])
def view_add(request: HtmxHttpRequest) -> HttpResponse:
    """Keep the list whose query comes along; words that mean nothing are not kept."""
    asked = request.POST if request.method == "POST" else request.GET
    query = query_clean(request, asked.get("query", ""))
    if request.method != "POST":
        return _form(request, SavedViewForm(initial={"query": query}), None)
    form = SavedViewForm({"name": request.POST.get("name"), "query": query})
    if form.is_valid():
        name = form.cleaned_data["name"]
        view = form.store(
            lambda: saved_views.view_create(actor=request.user, name=name, query=query)
        )
        if view is not None:
            return redirect_after_post(request, f"{reverse('inventory:server_list')}?{view.query}")
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def view_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    view = get_object_or_404(SavedView, pk=pk, user=request.user)
    if request.method != "POST":
        return _form(request, SavedViewForm(initial={"name": view.name}), view)
    form = SavedViewForm(request.POST)
    if form.is_valid():
        name = form.cleaned_data["name"]
        if form.store(lambda: saved_views.view_rename(actor=request.user, view=view, name=name)):
            return redirect_after_post(request, reverse("inventory:server_view_list"))
    return _form(request, form, view)


@require_POST
def view_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    view = get_object_or_404(SavedView, pk=pk, user=request.user)
    saved_views.view_delete(actor=request.user, view=view)
    return redirect_after_post(request, reverse("inventory:server_view_list"))


def query_clean(request: HtmxHttpRequest, query: str) -> str:
    """Return the query in the form in which equal lists are equal."""
    asked = QueryDict(query[:4000])
    _views, fields = views_and_fields(request.user)
    params = listing_of(request.user, asked).params.copy()
    table = table_of(asked.get("sort", ""), asked.getlist("columns"), fields)
    for name, value in table.params.items():
        params[name] = value
    return params.urlencode()


def _form(request: HtmxHttpRequest, form: SavedViewForm, view: SavedView | None) -> HttpResponse:
    name = "_server_view_form.html" if is_fragment(request) else "server_view_form.html"
    status = 422 if form.is_bound else 200
    return render(request, f"inventory/{name}", {"form": form, "view": view}, status=status)
