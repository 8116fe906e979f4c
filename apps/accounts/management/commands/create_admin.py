from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import User
from apps.accounts.services import admin_ensure


class Command(BaseCommand):
    help = "Create an admin, or give an existing one a new password. Prints the generated password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--if-empty", action="store_true", help="only while nobody can sign in")

    def handle(self, *args: Any, username: str, if_empty: bool, **options: Any) -> None:
        if not 1 <= len(username) <= 150:
            raise CommandError("A user name has 1 to 150 characters.")
        if if_empty and User.objects.filter(is_active=True).exists():
            return
        password = secrets.token_urlsafe(15)
        admin_ensure(username=username, password=password, reason="manage.py create_admin")
        self.stdout.write(f"Sign in as {username} with the password {password}")
