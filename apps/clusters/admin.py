from __future__ import annotations

from django.contrib import admin
from django.urls import reverse

from apps.clusters.models import Cluster, Site
from apps.core.admin import ReadOnlyAdmin


@admin.register(Site, Cluster)
class NamedAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Changed on the portal's own pages, which write the audit entry."""

    list_display = ("name",)
    search_fields = ("name",)

    def view_on_site(self, obj: Cluster | Site) -> str:
        return reverse(f"clusters:{obj._meta.model_name}_edit", args=[obj.pk])
