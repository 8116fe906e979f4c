"""Paths of clusters and sites."""

from __future__ import annotations

from django.urls import path

from apps.clusters import views

app_name = "clusters"

urlpatterns = [
    path("clusters/", views.cluster_list, name="cluster_list"),
    path("clusters/add", views.cluster_add, name="cluster_add"),
    path("clusters/<int:pk>/edit", views.cluster_edit, name="cluster_edit"),
    path("sites/", views.site_list, name="site_list"),
    path("sites/add", views.site_add, name="site_add"),
    path("sites/<int:pk>/edit", views.site_edit, name="site_edit"),
]
