"""Every path of the REST API, by app. A slash at the end may be there or not."""

from __future__ import annotations

from django.urls import include, path, re_path

from apps.core.paths import api_path
from bmcportal import api_docs

urlpatterns = [
    path("api/", include("apps.accounts.api_urls")),
    path("api/", include("apps.clusters.api_urls")),
    path("api/", include("apps.inventory.api_urls")),
    path("api/", include("apps.power.api_urls")),
    path("api/", include("apps.jobs.api_urls")),
    path("api/", include("apps.audit.api_urls")),
    api_path("api/schema/", api_docs.schema, name="api_schema"),
    api_path("api/docs/", api_docs.docs, name="api_docs"),
    re_path(r"^api(?:/(?P<path>.*))?$", api_docs.nothing_here, name="api_nothing_here"),
]
