"""To look things up. Servers, BMCs and profiles are changed on the portal's own pages, which check
where a secret may go and write the audit entry."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse

from apps.core.admin import ReadOnlyAdmin
from apps.inventory.models import Bmc, CredentialProfile, Server


@admin.register(Server)
class ServerAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("name", "cluster", "bmc", "created_at")
    list_select_related = ("cluster", "bmc")
    list_filter = ("cluster",)
    search_fields = ("name", "bmc__address")


@admin.register(Bmc)
class BmcAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("address", "port", "site", "profile", "suite", "guid", "refused_count")
    list_select_related = ("site", "profile")
    list_filter = ("site", "profile")
    search_fields = ("address", "guid")


@admin.register(CredentialProfile)
class CredentialProfileAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("name", "username", "privilege", "networks", "updated_at")
    fields = ("name", "username", "privilege", "networks", "is_open_everywhere", "clusters")
    search_fields = ("name", "username")

    def view_on_site(self, obj: CredentialProfile) -> str:
        return reverse("inventory:profile_edit", args=[obj.pk])
