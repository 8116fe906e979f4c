from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import User
from apps.accounts.services import LONGEST_DAYS, api_token_create


class Command(BaseCommand):
    help = (
        "Make a token for the REST API that acts with the roles of this person. It is printed "
        "once: the portal keeps a hash of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--days", type=int, default=30, help="until it expires (30)")
        parser.add_argument("--name", default="", help="what it is for; kept in the audit")

    def handle(self, *args: Any, username: str, days: int, name: str, **options: Any) -> None:
        if not 1 <= days <= LONGEST_DAYS:
            raise CommandError(f"--days expects a whole number from 1 to {LONGEST_DAYS}.")
        if len(name) > 64 or not (name.isprintable()):
            raise CommandError("--name has at most 64 characters that can be seen.")
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody who may sign in is called {username}.")
        self.stdout.write(api_token_create(user=user, days=days, name=name))
