"""Invitations, for admins."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts import selectors
from apps.accounts.choices import Registration
from apps.accounts.forms.invitations import InvitationForm
from apps.accounts.models import Invitation
from apps.accounts.services import invitations
from apps.accounts.tables import invitation_row
from apps.accounts.views.links import link_answer
from apps.accounts.views.people import PAGE, admin_page
from apps.audit.pages import form_answer, posted
from apps.core.http import HtmxHttpRequest, redirect_after_post


@require_safe
def invitation_list(request: HtmxHttpRequest) -> HttpResponse:
    admin_page(request)
    page = Paginator(selectors.invitations_listed(), PAGE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "rows": [invitation_row(invitation) for invitation in page.object_list],
        "open_count": selectors.invitations_open().count(),
        "is_on": _is_on(),
    }
    return render(request, "accounts/invitation_list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_add(request: HtmxHttpRequest) -> HttpResponse:
    admin_page(request)
    form = InvitationForm(posted(request))
    if form.is_valid():
        made = form.attempt(
            lambda: invitations.invitation_create(actor=request.user, offer=form.offer)
        )
        if made is not None:
            return link_answer(request, *made)
    return form_answer(request, form, "accounts/invitation_add.html", {"is_on": _is_on()})


@require_POST
def invitation_revoke(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    admin_page(request)
    invitation = get_object_or_404(Invitation, pk=pk)
    try:
        invitations.invitation_revoke(actor=request.user, invitation=invitation)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(
            request, _("The invitation for %(name)s is taken back.") % {"name": invitation}
        )
    return redirect_after_post(request, reverse("accounts:invitation_list"))


def _is_on() -> bool:
    return selectors.access_policy().registration == Registration.INVITATION
