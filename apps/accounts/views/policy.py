"""The access policy, for admins."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.forms.policy import PolicyForm
from apps.accounts.selectors import access_policy, has_second_factor
from apps.accounts.services.policy import policy_update
from apps.accounts.views.people import admin_page
from apps.accounts.words import POLICY_WORDS
from apps.audit.pages import form_answer, history_answer, posted
from apps.core.http import HtmxHttpRequest, redirect_after_post


@require_http_methods(["GET", "HEAD", "POST"])
def policy_edit(request: HtmxHttpRequest) -> HttpResponse:
    admin_page(request)
    form = PolicyForm(posted(request), policy=access_policy())
    if form.is_valid() and form.store(
        lambda factor, registration: policy_update(
            actor=request.user,
            second_factor_from=factor,
            registration=registration,
            expected_version=form.expected_version,
        )
    ):
        messages.success(request, _("The access policy is saved."))
        return redirect_after_post(request, reverse("accounts:policy_edit"))
    context = {"has_factor": has_second_factor(request.user)}
    return form_answer(request, form, "accounts/policy_form.html", context)


@require_safe
def policy_history(request: HtmxHttpRequest) -> HttpResponse:
    admin_page(request)
    crumbs = [
        (_("People"), reverse("accounts:user_list")),
        (_("Access policy"), reverse("accounts:policy_edit")),
    ]
    return history_answer(request, access_policy(), POLICY_WORDS, crumbs, is_admin=True)
