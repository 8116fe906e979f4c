"""Every path of the portal, by app."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from apps.accounts.views.profile import language_set
from bmcportal import health, metrics

handler400 = "bmcportal.errors.bad_request"
handler500 = "bmcportal.errors.server_error"

urlpatterns = [
    path("", include("apps.inventory.urls")),
    path("", include("apps.power.urls")),
    path("", include("apps.discovery.urls")),
    path("", include("apps.clusters.urls")),
    path("", include("apps.accounts.urls")),
    path("", include("apps.audit.urls")),
    path("", include("apps.accounts.allauth_urls")),
    path("admin/", admin.site.urls),
    path("language/", language_set, name="set_language"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("bmcportal.api_urls")),
]
