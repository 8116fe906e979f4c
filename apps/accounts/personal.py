"""Every page in the language and the time zone of whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from apps.accounts.models import User
from apps.accounts.selectors import zone_named

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
    try:
        return request.user if isinstance(request.user, User) else None
    except (OperationalError, InterfaceError):  # the pages that say so must still be shown
        return None
