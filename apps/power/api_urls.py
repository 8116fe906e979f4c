"""REST paths of power orders."""

from __future__ import annotations

from apps.core.paths import api_path
from apps.power import api

app_name = "power_api"

urlpatterns = [
    api_path("servers/<int:pk>/power/<slug:action>", api.server_power, name="server_power"),
    api_path("servers/<int:pk>/identify", api.server_identify, name="server_identify"),
]
