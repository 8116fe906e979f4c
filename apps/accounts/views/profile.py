"""A person's own settings."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.accounts.forms.profile import ThemeForm
from apps.accounts.models import User
from apps.core.http import path_inside


@require_POST
def theme_set(request: HttpRequest) -> HttpResponse:
    """Keep the theme that this person wants and go back to the page."""
    form = ThemeForm(request.POST)
    if isinstance(request.user, User) and form.is_valid():
        request.user.theme = form.cleaned_data["theme"]
        request.user.save(update_fields=["theme"])
    back = path_inside(request, request.POST.get("next", ""))
    back = back or reverse(settings.LOGIN_REDIRECT_URL)
    return HttpResponseRedirect(back, status=303)
