from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bmcportal.embedded import Portal


class Command(BaseCommand):
    help = (
        "Run the portal in one process: pages, live push, queue worker with the BMC runner, beat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, bind: str, port: int, **options: Any) -> None:
        if not settings.IS_EMBEDDED:
            raise CommandError(
                "REDIS_URL is set: run uvicorn, celery worker and celery beat as processes of "
                "their own (see docs/operations.md), or unset it to run everything here."
            )
        call_command("migrate", interactive=False, verbosity=0)
        call_command("create_admin", "admin", if_empty=True, stdout=self.stdout)
        self.stdout.write(f"BMC Portal is at http://localhost:{port}  (stop with Ctrl-C)")
        self.stdout.flush()
        Portal(bind=bind, port=port).run()
