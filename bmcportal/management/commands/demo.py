from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import User
from bmcportal import demo
from bmcportal.embedded import Portal


class Command(BaseCommand):
    help = "Run the portal with a simulated fleet, in one go."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--servers", type=int, default=40)
        parser.add_argument("--bmc-port", type=int, default=9623, help="UDP port of the fleet")
        parser.add_argument("--control-port", type=int, default=9700, help="of the fleet's door")

    def handle(
        self,
        *args: Any,
        bind: str,
        port: int,
        servers: int,
        bmc_port: int,
        control_port: int,
        **options: Any,
    ) -> None:
        if not settings.IS_EMBEDDED:
            raise CommandError("The demo runs in one process: unset REDIS_URL.")
        if not 1 <= servers <= 5000:
            raise CommandError("DEMO_SERVERS expects a number from 1 to 5000.")
        call_command("migrate", interactive=False, verbosity=0)
        try:
            with demo.simulated_fleet(servers, bmc_port, control_port) as fleet:
                demo.seed(fleet)
                demo.misbehave(fleet, control_port)
                self.stdout.write(f"\nBMC Portal is at  http://localhost:{port}")
                call_command("create_admin", "admin", stdout=self.stdout)
                demo.people_add(User.objects.get(username="admin"))
                self.stdout.write(f"{servers} simulated BMCs; stop with Ctrl-C. See docs/demo.md\n")
                self.stdout.flush()
                Portal(bind=bind, port=port).run()
        except RuntimeError as error:
            raise CommandError(str(error)) from error
