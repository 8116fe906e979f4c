"""Paths of power orders."""

from __future__ import annotations

from django.urls import path

from apps.power import views

app_name = "power"

urlpatterns = [
    path("servers/<int:pk>/power/<slug:action>/", views.power_confirm, name="power_confirm"),
]
