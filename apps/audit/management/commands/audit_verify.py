from __future__ import annotations

import re
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from apps.audit.chain import Head
from apps.audit.verify import Broken, audit_check
from apps.audit.worker import head_find

_HEAD: Final = re.compile(r"([1-9]\d{0,17}):([0-9a-f]{64})\Z")


class Command(BaseCommand):
    help = "Check the numbers and hashes of the audit. Names the first bad row and ends with 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            action="append",
            default=[],
            metavar="NUMBER:HASH",
            help="a head from the log that must still be there; may be given again",
        )
        parser.add_argument("--head", action="store_true", help="only tell the head, check nothing")

    def handle(self, *args: Any, expect: list[str], head: bool, **options: Any) -> None:
        try:
            if head:
                told = str(head_find() or "Nothing is sealed yet.")
            else:
                last = audit_check([_head(text) for text in expect])
                told = f"{last.number} rows, all as they were sealed. Head {last}"
        except Broken as broken:
            raise CommandError(str(broken)) from None
        except DatabaseError:
            raise CommandError("The database does not answer; nothing was checked.") from None
        self.stdout.write(told)


def _head(text: str) -> Head:
    """:raises CommandError:"""
    if not (found := _HEAD.match(text)):
        raise CommandError("A head is written as NUMBER:HASH, with 64 hexadecimal digits.")
    return Head(int(found[1]), found[2])
