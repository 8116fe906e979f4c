"""A person's own settings."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from apps.accounts.forms.profile import ProfileForm, ThemeForm, time_zones
from apps.accounts.models import User
from apps.accounts.services.people import language_keep, profile_update
from apps.audit.pages import form_answer, posted
from apps.core.http import HtmxHttpRequest, path_inside, redirect_after_post


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HtmxHttpRequest) -> HttpResponse:
    form = ProfileForm(posted(request), person=request.user)
    if form.is_valid():
        person = form.store(
            lambda facts: profile_update(
                actor=request.user, facts=facts, expected_version=form.expected_version
            )
        )
        if person is not None:
            with override(person.language or None):  # said in the language that was just chosen
                messages.success(request, _("Your account is saved."))
            return redirect_after_post(request, reverse("accounts:profile"))
    return form_answer(request, form, "accounts/profile_form.html", {"time_zones": time_zones()})


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


@login_not_required
def language_set(request: HttpRequest) -> HttpResponse:
    """Change the language: of this browser, and of whoever is signed in."""
    chosen = request.POST.get("language", "")
    if isinstance(request.user, User) and chosen in dict(settings.LANGUAGES):
        language_keep(user=request.user, language=chosen)
    return set_language(request)
