"""Paths of power orders."""

from __future__ import annotations

from django.urls import path

from apps.power import views

app_name = "power"

urlpatterns = [
    path("servers/<int:pk>/power/<slug:action>/", views.power_confirm, name="power_confirm"),
    path("servers/<int:pk>/orders/<int:job>/stop", views.order_stop, name="order_stop"),
    path("servers/<int:pk>/identify", views.server_identify, name="server_identify"),
    path("servers/<int:pk>/accept-machine", views.machine_accept, name="machine_accept"),
]
