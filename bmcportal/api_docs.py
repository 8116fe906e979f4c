"""The OpenAPI document and its page; both for people who are signed in."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.decorators import login_required
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.problems import Problem

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"]

schema = SpectacularAPIView.as_view()
# A page: who is not signed in is sent to sign in, as on every page.
docs = login_required(
    SpectacularSwaggerSplitView.as_view(template_name="api/docs.html", url_name="api_schema")
)


@extend_schema(exclude=True)
@api_view(METHODS)
def nothing_here(request: Request, path: str = "") -> Response:
    """Answer every other path under /api/ as the rest of the API does."""
    raise Problem(HTTPStatus.NOT_FOUND)
