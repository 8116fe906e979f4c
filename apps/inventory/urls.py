"""Paths of servers and credential profiles."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from apps.inventory.views import profiles, servers

app_name = "inventory"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="inventory:server_list"), name="home"),
    path("servers/", servers.server_list, name="server_list"),
    path("servers/add", servers.server_add, name="server_add"),
    path("servers/<int:pk>/", servers.server_detail, name="server_detail"),
    path("servers/<int:pk>/edit", servers.server_edit, name="server_edit"),
    path("servers/<int:pk>/delete", servers.server_delete, name="server_delete"),
    path("servers/<int:pk>/read", servers.server_read, name="server_read"),
    path("profiles/", profiles.profile_list, name="profile_list"),
    path("profiles/add", profiles.profile_add, name="profile_add"),
    path("profiles/<int:pk>/edit", profiles.profile_edit, name="profile_edit"),
]
