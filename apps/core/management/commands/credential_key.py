from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Print a new entry for CREDENTIAL_KEYS. Put it first and keep the old ones behind it."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        name = datetime.now(UTC).strftime("k%Y%m%d%H%M")
        self.stdout.write(f"{name}:{base64.b64encode(os.urandom(32)).decode()}")
