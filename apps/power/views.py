"""The page before a power order, and the order itself."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.bmc import PowerAction
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory.models import Server
from apps.inventory.selectors import servers_full
from apps.jobs.services import RequestKeyReused
from apps.power.confirm import Question, order_repeated, question_of
from apps.power.forms import PowerForm
from apps.power.selectors import may_order
from apps.power.services import power_order


@require_http_methods(["GET", "HEAD", "POST"])
def power_confirm(request: HtmxHttpRequest, pk: int, action: str) -> HttpResponse:
    """Say what will happen; then order it. Nothing is sent by looking."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    wanted = _action(action)
    if not may_order(request.user, server, wanted):
        raise PermissionDenied
    question = question_of(request.user, server, wanted)
    if request.method != "POST":
        return _ask(request, question, PowerForm(name_to_type=question.name_to_type))
    if order_repeated(request.user, server, request.POST.get("request_key", "")):
        return redirect_after_post(request, server.get_absolute_url())
    form = PowerForm(request.POST, name_to_type=question.name_to_type)
    if form.is_valid() and not question.is_blocked and _order(request, server, wanted, form):
        return redirect_after_post(request, server.get_absolute_url())
    return _ask(request, question, form, status=422)


def _order(request: HtmxHttpRequest, server: Server, action: PowerAction, form: PowerForm) -> bool:
    try:
        power_order(
            server=server,
            action=action,
            actor=request.user,
            reason=form.cleaned_data["reason"],
            request_key=form.cleaned_data["request_key"],
        )
    except RequestKeyReused:
        form.renew()
        form.add_error(
            None, _("This form was used for another order. Nothing has been sent. Confirm again.")
        )
        return False
    return True


def _ask(
    request: HtmxHttpRequest, question: Question, form: PowerForm, status: int = 200
) -> HttpResponse:
    name = "_power_dialog.html" if is_fragment(request) else "power_confirm.html"
    context = {"q": question, "server": question.server, "form": form}
    return render(request, f"power/{name}", context, status=status)


def _action(text: str) -> PowerAction:
    try:
        return PowerAction(text)
    except ValueError:
        raise Http404 from None
