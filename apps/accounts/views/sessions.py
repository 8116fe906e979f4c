"""Where a person is signed in."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.selectors import browser_sessions_of, script_sessions_of
from apps.accounts.services.sessions import session_end, sessions_end_others
from apps.accounts.session_lines import session_lines
from apps.core.http import HtmxHttpRequest, redirect_after_post


@require_safe
def session_list(request: HtmxHttpRequest) -> HttpResponse:
    lines = session_lines(request.user, request.session.session_key)
    context = {"lines": lines, "others": sum(not line.is_this for line in lines)}
    return render(request, "accounts/session_list.html", context)


@require_POST
def session_end_one(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    session = get_object_or_404(browser_sessions_of(request.user), pk=pk)
    session_end(user=request.user, session=session)
    return redirect_after_post(request, reverse("accounts:session_list"))


@require_POST
def script_session_end(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    session = get_object_or_404(script_sessions_of(request.user), pk=pk)
    session_end(user=request.user, session=session)
    return redirect_after_post(request, reverse("accounts:session_list"))


@require_POST
def session_end_others(request: HtmxHttpRequest) -> HttpResponse:
    sessions_end_others(user=request.user, keep_session=request.session.session_key)
    return redirect_after_post(request, reverse("accounts:session_list"))
