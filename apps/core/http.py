"""Small helpers around requests and answers."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from apps.accounts.models import User


class HtmxHttpRequest(HttpRequest):
    """A request that went through the htmx middleware, from somebody who is signed in."""

    htmx: HtmxDetails
    user: User


def is_fragment(request: HttpRequest) -> bool:
    """Say whether htmx asks for a part of the page (boosted navigation asks for the whole)."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by the middleware
    return bool(htmx) and not htmx.boosted


def redirect_after_post(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser on after a change: 303, or `HX-Redirect` for htmx."""
    if is_fragment(request):
        return HttpResponseClientRedirect(url)
    response = HttpResponse(status=303)
    response["Location"] = url
    return response


def peer_address(request: HttpRequest) -> str | None:
    """Return the address at the other end of the connection; None where there is none to read."""
    text = str(request.META.get("REMOTE_ADDR") or "").partition("%")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def path_inside(request: HttpRequest, url: str) -> str:
    """Return the address if it is one of this portal, else nothing."""
    inside = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if inside else ""
