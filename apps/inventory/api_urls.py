"""REST paths of servers, racks, BMCs and credential profiles."""

from __future__ import annotations

from apps.core.paths import api_path
from apps.inventory.api import bulk, history, profiles, racks, servers

app_name = "inventory_api"

urlpatterns = [
    api_path("servers/", servers.server_list, name="server_list"),
    api_path("servers/bulk", bulk.server_bulk, name="server_bulk"),
    api_path("servers/<int:pk>", servers.server_detail, name="server_detail"),
    api_path("servers/<int:pk>/read", servers.server_read, name="server_read"),
    api_path("servers/<int:pk>/history", history.server_history, name="server_history"),
    api_path("racks/", racks.rack_list, name="rack_list"),
    api_path("racks/<int:pk>", racks.rack_detail, name="rack_detail"),
    api_path("bmcs/", racks.bmc_list, name="bmc_list"),
    api_path("bmcs/<int:pk>", racks.bmc_detail, name="bmc_detail"),
    api_path("profiles/", profiles.profile_list, name="profile_list"),
    api_path("profiles/<int:pk>", profiles.profile_detail, name="profile_detail"),
]
