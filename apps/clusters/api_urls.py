"""REST paths of sites and clusters."""

from __future__ import annotations

from apps.clusters import api
from apps.core.paths import api_path

app_name = "clusters_api"

urlpatterns = [
    api_path("sites/", api.site_list, name="site_list"),
    api_path("sites/<int:pk>", api.site_detail, name="site_detail"),
    api_path("clusters/", api.cluster_list, name="cluster_list"),
    api_path("clusters/<int:pk>", api.cluster_detail, name="cluster_detail"),
]
