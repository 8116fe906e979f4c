"""The page before a power order, the order itself, and what can be done about it afterwards."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.bmc import PowerAction
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post
from apps.inventory.models import Server
from apps.inventory.selectors import may_operate, servers_full
from apps.inventory.services import machines
from apps.inventory.services.machines import Machine, MachineChanged
from apps.inventory.services.reading import server_ask
from apps.jobs.selectors import jobs_visible_to
from apps.jobs.services import RequestKeyReused, job_stop
from apps.power.confirm import Question, order_repeated, question_of
from apps.power.forms import IdentifyForm, MachineForm, PowerForm
from apps.power.pages import orders_context
from apps.power.selectors import may_order
from apps.power.services import ServerProtected, identify_order, power_order


@require_http_methods(["GET", "HEAD", "POST"])
def power_confirm(request: HtmxHttpRequest, pk: int, action: str) -> HttpResponse:
    """Say what will happen; then order it. Nothing is sent by looking but a reading."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    wanted = _action(action)
    if not may_order(request.user, server, wanted):
        raise PermissionDenied
    question = question_of(request.user, server, wanted)
    if request.method != "POST":
        server_ask(server)
        return _ask(request, question, question.form())
    if order_repeated(request.user, server, request.POST.get("request_key", "")):
        return redirect_after_post(request, server.get_absolute_url())
    form = question.form(request.POST)
    if form.is_valid() and not question.is_blocked and _order(request, server, wanted, form):
        return redirect_after_post(request, server.get_absolute_url())
    return _ask(request, question, form, status=422)


@require_POST
def order_stop(request: HtmxHttpRequest, pk: int, job: int) -> HttpResponse:
    """Stop an order of this server; what is sent already is only told."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    order = get_object_or_404(jobs_visible_to(request.user), pk=job, targets__server=server)
    job_stop(job=order, actor=request.user)
    if not is_fragment(request):
        return redirect_after_post(request, server.get_absolute_url())
    return render(request, "power/_server_orders.html", orders_context(server))


@require_POST
def server_identify(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Light the identify LED, or turn it off."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    form = IdentifyForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("The light takes 0 to 255 seconds. Nothing has been sent."))
        return _told(request, server, status=422)
    identify_order(server=server, actor=request.user, seconds=form.wanted_seconds)
    if is_fragment(request):
        messages.info(
            request, _("Asked for the identify light of %(server)s.") % {"server": server}
        )
    return _told(request, server, status=202)


@require_http_methods(["GET", "HEAD", "POST"])
def machine_accept(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Show the recorded and the answering machine; then record the latter."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    if not may_operate(request.user, server):
        raise PermissionDenied
    answering = machines.machine_answering(server.status)
    if request.method != "POST":
        shown = answering or Machine()
        form = MachineForm(initial={"guid": shown.guid, "serial": shown.serial})
        return _machines(request, server, form, answering)
    form = MachineForm(request.POST)
    if form.is_valid() and _accepted(request, server, form):
        return redirect_after_post(request, server.get_absolute_url())
    return _machines(request, server, form, answering, status=422)


def _order(request: HtmxHttpRequest, server: Server, action: PowerAction, form: PowerForm) -> bool:
    try:
        power_order(
            server=server,
            action=action,
            actor=request.user,
            reason=form.cleaned_data["reason"],
            request_key=form.cleaned_data["request_key"],
            escalate=form.cleaned_data.get("escalate", False),
        )
    except RequestKeyReused:
        form.renew()
        form.add_error(
            None, _("This form was used for another order. Nothing has been sent. Confirm again.")
        )
        return False
    except ServerProtected:  # since the question was put together
        server.refresh_from_db(fields=["is_protected", "protected_reason"])
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


def _told(request: HtmxHttpRequest, server: Server, status: int) -> HttpResponse:
    """Answer a press without a dialog: a toast for htmx, else the server's page."""
    if is_fragment(request):
        return render(request, "shared/_toasts.html", {"oob": True}, status=status)
    return redirect_after_post(request, server.get_absolute_url())


def _accepted(request: HtmxHttpRequest, server: Server, form: MachineForm) -> bool:
    machine = Machine(form.cleaned_data["guid"], form.cleaned_data["serial"])
    try:
        machines.machine_accept(
            actor=request.user, server=server, machine=machine, reason=form.cleaned_data["reason"]
        )
    except MachineChanged:
        form.add_error(None, _("That is not the machine that answers now. Nothing was changed."))
        return False
    return True


def _machines(
    request: HtmxHttpRequest,
    server: Server,
    form: MachineForm,
    answering: Machine | None,
    status: int = 200,
) -> HttpResponse:
    name = "_machine_dialog.html" if is_fragment(request) else "machine_accept.html"
    context = {
        "server": server,
        "form": form,
        "answering": answering,
        "recorded": machines.machine_recorded(server.bmc),
    }
    return render(request, f"power/{name}", context, status=status)
