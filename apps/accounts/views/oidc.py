"""The two paths of sign-in with another service."""

from __future__ import annotations

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.openid_connect.views import callback as allauth_callback
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from apps.accounts.oidc import PROVIDER, failed
from apps.core.http import path_inside

# What answers that are not of an OpenID Connect service make the parser stumble over.
UNREADABLE = (RequestException, KeyError, TypeError, ValueError, AttributeError)


@login_not_required
@never_cache
@require_POST
def oidc_start(request: HttpRequest, provider_id: str = PROVIDER) -> HttpResponse:
    """Lead to the other service."""
    try:
        provider = get_adapter().get_provider(request, provider_id)
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
    way_on = path_inside(request, request.POST.get("next", ""))
    try:
        answer: HttpResponse = provider.redirect(request, AuthProcess.LOGIN, next_url=way_on)
    except UNREADABLE:
        return failed(request)
    return answer


@login_not_required
@never_cache
@require_safe
def oidc_callback(request: HttpRequest, provider_id: str = PROVIDER) -> HttpResponse:
    """Take what the other service says about who came back from it."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(reverse(settings.LOGIN_REDIRECT_URL))
    try:
        answer: HttpResponse = allauth_callback(request, provider_id)
    except UNREADABLE:
        return failed(request)
    return answer
