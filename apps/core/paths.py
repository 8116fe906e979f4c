"""Paths of the REST API: a slash at the end may be there or not, and nothing is redirected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from django.urls.resolvers import RoutePattern, URLPattern


class _LooseRoute(RoutePattern):
    """A route that matches its path with and without the last slash; it is written as it reads."""

    def match(self, path: str) -> Any:
        has, wants = path.endswith("/"), str(self).endswith("/")
        if has and not wants:
            path = path[:-1]
        elif wants and not has:
            path += "/"
        return super().match(path)


def api_path(route: str, view: Callable[..., HttpResponseBase], *, name: str) -> URLPattern:
    """Return an element of `urlpatterns`, as `django.urls.path` does."""
    return URLPattern(_LooseRoute(route, name=name, is_endpoint=True), view, {}, name)
