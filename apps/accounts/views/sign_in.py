from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from apps.accounts.forms.sign_in import SignInForm
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
