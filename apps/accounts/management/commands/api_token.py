from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import User
from apps.accounts.services import LONGEST_DAYS, api_token_create
from apps.clusters.choices import Role


class Command(BaseCommand):
    help = (
        "Make a token for the REST API that acts as this person, up to a role. It is printed "
        "once: the portal keeps a hash of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--days", type=int, default=30, help="until it expires (30)")
        parser.add_argument("--name", default="manage.py api_token", help="what it is for")
        parser.add_argument(
            "--role",
            choices=Role.values,
            default=Role.READONLY,
            help="the most it may do, whatever its person may (readonly)",
        )

    def handle(
        self, *args: Any, username: str, days: int, name: str, role: str, **options: Any
    ) -> None:
        if not 1 <= days <= LONGEST_DAYS:
            raise CommandError(f"--days expects a whole number from 1 to {LONGEST_DAYS}.")
        if not 1 <= len(name) <= 64 or not name.isprintable():
            raise CommandError("--name has 1 to 64 characters that can be seen.")
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody who may sign in is called {username}.")
        try:
            secret = api_token_create(user=user, days=days, name=name, role=Role(role))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(secret)
