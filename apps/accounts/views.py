from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from apps.accounts.forms import SignInForm, ThemeForm
from apps.accounts.models import User
from apps.core.http import is_fragment


class SignInView(LoginView):
    """Sign in with name and password; axes counts wrong tries per name and address."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_fragment(request):
            # The session ended meanwhile: the whole page goes there, not a part of it.
            htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by the middleware
            back = {"next": htmx.current_url_abs_path or "/"}
            return HttpResponseClientRedirect(f"{reverse('accounts:sign_in')}?{urlencode(back)}")
        return super().get(request, *args, **kwargs)

    def form_invalid(self, form: Form) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


@sensitive_post_parameters()
@never_cache
def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer tries during the pause, whether the password would be right or not."""
    minutes = round(settings.AXES_COOLOFF_TIME * 60)
    context = {"form": SignInForm(request), "pause_minutes": minutes}
    response = render(request, "accounts/sign_in.html", context, status=429)
    response["Retry-After"] = str(minutes * 60)
    return response


sign_out = LogoutView.as_view(http_method_names=["post", "options"])


@require_POST
def theme_set(request: HttpRequest) -> HttpResponse:
    """Keep the theme that this person wants and go back to the page."""
    form = ThemeForm(request.POST)
    if isinstance(request.user, User) and form.is_valid():
        request.user.theme = form.cleaned_data["theme"]
        request.user.save(update_fields=["theme"])
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        back = reverse(settings.LOGIN_REDIRECT_URL)
    return HttpResponseRedirect(back, status=303)
