"""Paths of connection tests."""

from __future__ import annotations

from django.urls import path

from apps.discovery import views

app_name = "discovery"

urlpatterns = [
    path("connection-tests/", views.test_order, name="test_order"),
    path("connection-tests/<uuid:pk>/", views.test_detail, name="test_detail"),
    path("servers/<int:pk>/test", views.test_server, name="test_server"),
    path("servers/<int:pk>/test/typed", views.test_typed, name="test_typed"),
]
