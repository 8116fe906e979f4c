"""What every page does for whoever is signed in: their language and time zone, and that nobody goes
on without what is asked of them: a password of their own, a second factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from apps.accounts.models import User
from apps.accounts.selectors import password_change_needed, second_factor_missing, zone_named
from apps.core.http import is_fragment
from apps.core.problems import Problem, problem_response

GetResponse = Callable[[HttpRequest], HttpResponse]


def PersonalSettingsMiddleware(get_response: GetResponse) -> GetResponse:  # noqa: N802  Django's way
    """Language: the person's own, else as Django's middleware above found. Zone: own, else UTC."""

    def middleware(request: HttpRequest) -> HttpResponse:
        person = _person_of(request)
        if person is not None and person.language:
            # It stays active: Django's middleware names it in the answer's header.
            translation.activate(person.language)
            request.LANGUAGE_CODE = translation.get_language()
        with timezone.override(zone_named(person.time_zone if person else "")):
            return get_response(request)

    return middleware


def _person_of(request: HttpRequest) -> User | None:
    """Return who is signed in with a session; without its cookie nobody is asked for."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    return request.user if isinstance(request.user, User) else None


ALWAYS_OPEN: Final = frozenset({
    "accounts:confirm", "accounts:password_change", "accounts:sign_in", "accounts:sign_out",
    "accounts:theme_set", "set_language", "healthz", "readyz",
})  # fmt: skip
FACTOR_PAGES: Final = frozenset({
    "accounts:security", "accounts:app_add", "accounts:app_remove", "accounts:key_add",
    "accounts:key_remove", "accounts:recovery_codes_new",
})  # fmt: skip


class StandingMiddleware:
    """Leads people with a session to the page where they do what is asked of them first."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        name = match.view_name if match else ""
        if name in ALWAYS_OPEN or not isinstance(request.user, User):
            return None
        if password_change_needed(request.user):
            words = _("Somebody else set your password. Choose one of your own to go on.")
            return _led(request, "password_change_needed", words, "accounts:password_change")
        if name not in FACTOR_PAGES and second_factor_missing(request.user):
            words = _("Your role needs a second factor. Add an app or a security key to go on.")
            return _led(request, "second_factor_missing", words, "accounts:security")
        return None


def _led(request: HttpRequest, code: str, words: str, to: str) -> HttpResponse:
    url = reverse(to)
    if request.path.startswith("/api/"):
        hint = _("Do it in the browser: %(url)s") % {"url": request.build_absolute_uri(url)}
        return problem_response(Problem(403, code, words, hint=hint))
    if is_fragment(request):
        return HttpResponseClientRedirect(url)
    return HttpResponseRedirect(url)
