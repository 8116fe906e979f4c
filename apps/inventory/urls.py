"""Paths of servers, their list, and credential profiles."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from apps.inventory.views import lists, profiles, saved_views, servers

app_name = "inventory"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="inventory:server_list"), name="home"),
    path("servers/", lists.server_list, name="server_list"),
    path("servers/filter", lists.server_filter, name="server_filter"),
    path("servers/selection", lists.selection_change, name="selection_change"),
    path("servers/bulk/read", lists.server_bulk_read, name="server_bulk_read"),
    path("servers/views/", saved_views.view_list, name="server_view_list"),
    path("servers/views/add", saved_views.view_add, name="server_view_add"),
    path("servers/views/<int:pk>/edit", saved_views.view_edit, name="server_view_edit"),
    path("servers/views/<int:pk>/delete", saved_views.view_delete, name="server_view_delete"),
    path("servers/add", servers.server_add, name="server_add"),
    path("servers/<int:pk>/", servers.server_detail, name="server_detail"),
    path("servers/<int:pk>/edit", servers.server_edit, name="server_edit"),
    path("servers/<int:pk>/delete", servers.server_delete, name="server_delete"),
    path("servers/<int:pk>/read", servers.server_read, name="server_read"),
    path("profiles/", profiles.profile_list, name="profile_list"),
    path("profiles/add", profiles.profile_add, name="profile_add"),
    path("profiles/<int:pk>/edit", profiles.profile_edit, name="profile_edit"),
]
