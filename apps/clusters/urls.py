"""Paths of clusters and sites."""

from __future__ import annotations

from django.urls import path

from apps.clusters.views import clusters, sites

app_name = "clusters"

urlpatterns = [
    path("clusters/", clusters.cluster_list, name="cluster_list"),
    path("clusters/add", clusters.cluster_add, name="cluster_add"),
    path("clusters/<int:pk>/edit", clusters.cluster_edit, name="cluster_edit"),
    path("clusters/<int:pk>/delete", clusters.cluster_delete, name="cluster_delete"),
    path("clusters/<int:pk>/history", clusters.cluster_history, name="cluster_history"),
    path("sites/", sites.site_list, name="site_list"),
    path("sites/add", sites.site_add, name="site_add"),
    path("sites/<int:pk>/", sites.site_detail, name="site_detail"),
    path("sites/<int:pk>/edit", sites.site_edit, name="site_edit"),
    path("sites/<int:pk>/delete", sites.site_delete, name="site_delete"),
    path("sites/<int:pk>/history", sites.site_history, name="site_history"),
]
