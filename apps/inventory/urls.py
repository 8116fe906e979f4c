"""Paths of servers, their list, racks, credential profiles and custom fields."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from apps.inventory.views import (
    bulk,
    custom_fields,
    lists,
    profiles,
    racks,
    saved_views,
    servers,
)

app_name = "inventory"

home = RedirectView.as_view(
    pattern_name="inventory:server_list", http_method_names=["get", "head", "options"]
)
urlpatterns = [
    path("", home, name="home"),
    path("servers/", lists.server_list, name="server_list"),
    path("servers/filter", lists.server_filter, name="server_filter"),
    path("servers/selection", lists.selection_change, name="selection_change"),
    path("servers/bulk/read", lists.server_bulk_read, name="server_bulk_read"),
    path("servers/views/", saved_views.view_list, name="server_view_list"),
    path("servers/views/add", saved_views.view_add, name="server_view_add"),
    path("servers/views/<int:pk>/edit", saved_views.view_edit, name="server_view_edit"),
    path("servers/views/<int:pk>/delete", saved_views.view_delete, name="server_view_delete"),
    path("servers/add", servers.server_add, name="server_add"),
    path("servers/bulk/edit", bulk.servers_edit, name="servers_edit"),
    path("servers/bulk/delete", bulk.servers_delete, name="servers_delete"),
    path("servers/<int:pk>/", servers.server_detail, name="server_detail"),
    path("servers/<int:pk>/edit", servers.server_edit, name="server_edit"),
    path("servers/<int:pk>/delete", servers.server_delete, name="server_delete"),
    path("servers/<int:pk>/history", servers.server_history, name="server_history"),
    path("servers/<int:pk>/read", servers.server_read, name="server_read"),
    path("racks/", racks.rack_list, name="rack_list"),
    path("racks/add", racks.rack_add, name="rack_add"),
    path("racks/<int:pk>/", racks.rack_detail, name="rack_detail"),
    path("racks/<int:pk>/edit", racks.rack_edit, name="rack_edit"),
    path("racks/<int:pk>/delete", racks.rack_delete, name="rack_delete"),
    path("racks/<int:pk>/history", racks.rack_history, name="rack_history"),
    path("profiles/", profiles.profile_list, name="profile_list"),
    path("profiles/add", profiles.profile_add, name="profile_add"),
    path("profiles/<int:pk>/edit", profiles.profile_edit, name="profile_edit"),
    path("profiles/<int:pk>/delete", profiles.profile_delete, name="profile_delete"),
    path("profiles/<int:pk>/history", profiles.profile_history, name="profile_history"),
    path("fields/", custom_fields.customfield_list, name="customfield_list"),
    path("fields/add", custom_fields.customfield_add, name="customfield_add"),
    path("fields/<int:pk>/edit", custom_fields.customfield_edit, name="customfield_edit"),
    path("fields/<int:pk>/delete", custom_fields.customfield_delete, name="customfield_delete"),
    path("fields/<int:pk>/history", custom_fields.customfield_history, name="customfield_history"),
]
