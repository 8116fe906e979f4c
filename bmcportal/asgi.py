"""The ASGI entry point: HTTP and WebSocket."""

from __future__ import annotations

import gc
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bmcportal.settings")
django_application = get_asgi_application()

# Django must be set up before anything that touches models is imported.
from channels.routing import ProtocolTypeRouter  # noqa: E402

from bmcportal.limits import BodyLimit  # noqa: E402
from bmcportal.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter(
    {"http": BodyLimit(django_application), "websocket": websocket_application}
)

# What is loaded now stays until the end: a collection need not walk through it each time. Without
# this every thirtieth page or so waits a tenth of a second and more for it.
gc.collect()
gc.freeze()
