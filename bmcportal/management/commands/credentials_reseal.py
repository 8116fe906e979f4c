from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.secrets import key_newest
from bmcportal.reseal import PLACES, Found, Place, place_check, place_reseal


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the newest key of CREDENTIAL_KEYS, while the portal "
        "runs. Restart its processes with the new key first. May be stopped and repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; say which keys are in use, and fail if an old one is",
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            for place in PLACES:
                self._reseal(place)
        # What counts is what stands there now: a process that still has the old keys may have
        # saved a secret meanwhile.
        found = [self._told(place) for place in PLACES]
        unreadable = [line for one in found for line in one.unreadable]
        for line in unreadable:
            self.stderr.write(f"cannot be opened: {line}")
        if not all(one.is_done for one in found):
            words = "Rows that cannot be opened are named above. " if unreadable else ""
            raise CommandError(f"{words}Old keys are still needed: keep them in CREDENTIAL_KEYS.")
        self.stdout.write(f"Every secret is under {key_newest()}: older keys are not needed here.")

    def _reseal(self, place: Place) -> None:
        total = place.rows().count()
        for seen, resealed in place_reseal(place):
            told = f"{seen} of {total} rows looked at, {resealed} secrets encrypted again"
            self.stdout.write(f"{place.name}: {told}")

    def _told(self, place: Place) -> Found:
        found = place_check(place)
        keys = ", ".join(f"{count} under {key or '?'}" for key, count in found.by_key.items())
        self.stdout.write(f"{place.name}: {found.total} rows, {keys or 'no secrets'}")
        return found
