"""WebSocket paths. Only pages of this portal may open one: the origin is checked first."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from apps.inventory.consumers import LiveConsumer

# Django's type of `path` knows views only; channels puts ASGI applications there.
live: Any = LiveConsumer.as_asgi()
routes: list[Any] = [path("ws/live/", live)]
websocket_application = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(routes)))
