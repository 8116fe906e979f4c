"""How long sealing and verifying the audit take: a million rows in an empty database.

usage: DATABASE_URL=postgres://postgres@127.0.0.1/bench_audit python -m bench.audit

Also asks for pages of the audit. Prints Markdown, with --json one line of JSON; ends with 1 when
a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from typing import Any, Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bmcportal.settings_test")
ROWS: Final = 1_000_000
AT_ONCE: Final = 10_000
GOAL_SECONDS, GOAL_ROWS_A_SECOND, GOAL_PAGE_SECONDS = 60.0, 1000.0, 2.0
PAGES: Final = {
    "newest page": {},
    "by person": {"who": "person-7"},
    "by action": {"action": "inventory.server.update"},
    "commands": {"kind": "commands"},
    "by object": {"object_type": "inventory.server", "object_id": "77"},
    "one hour": {"since": "2026-01-03T04:00Z", "until": "2026-01-03T05:00Z"},
    "page in the middle": {"older": "500000"},
    "searched: a reason": {"q": "ticket 4711"},
    "searched: nothing": {"q": "no such text"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL"):
        sys.exit("DATABASE_URL must name an empty database; this fills it.")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    if connection.introspection.table_names():
        sys.exit("The database of DATABASE_URL is not empty; nothing was done.")
    call_command("migrate", verbosity=0)
    seed(options.rows)
    found = {"rows": options.rows, **chain(options.rows), "pages": pages()}
    say(found, as_json=options.json)
    is_fast = found["seal_rows_a_second"] >= GOAL_ROWS_A_SECOND
    scale = options.rows / ROWS
    slow = [name for name, seconds in found["pages"].items() if seconds > GOAL_PAGE_SECONDS]
    return 0 if is_fast and found["verify_seconds"] <= GOAL_SECONDS * scale and not slow else 1


def seed(count: int) -> None:
    """Fill the audit with rows of the usual size."""
    import datetime as dt

    from apps.audit.models import AuditEntry
    from apps.clusters.choices import Role
    from apps.core.testing import make_user

    make_user("bench-admin", Role.ADMIN)
    first = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    actions = ("inventory.server.update", "power.order", "power.command", "clusters.site.update")
    for start in range(0, count, AT_ONCE):
        AuditEntry.objects.bulk_create(
            AuditEntry(
                at=first + dt.timedelta(seconds=i), actor_id=i % 50, actor_name=f"person-{i % 50}",
                action=actions[i % 4], object_type="inventory.server", object_id=str(i % 5000),
                object_name=f"cluster-{i % 24:02}-n{i % 5000}", reason=f"ticket {i % 9000}",
                before={"name": f"n{i}", "tags": ["a", "b"], "port": 623, "model": "R640"},
                after={"name": f"n{i}", "tags": ["a", "c"], "port": 624, "model": "R650"},
                request_id=f"4f9c1a7e-{i:012}",
            )
            for i in range(start, min(start + AT_ONCE, count))
        )  # fmt: skip


def chain(count: int) -> dict[str, float]:
    """Seal every row, then verify: seconds, rows a second, and how much memory that took."""
    from apps.audit.verify import audit_check
    from apps.audit.worker import seal

    started = time.monotonic()
    while seal():
        pass
    sealing = time.monotonic() - started
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, spent = time.monotonic(), time.process_time()
    head = audit_check([])
    verifying, spent = time.monotonic() - started, time.process_time() - spent
    if head.number != count:
        sys.exit(f"{head.number} of {count} rows are sealed.")
    return {
        "seal_rows_a_second": count / sealing,
        "verify_seconds": verifying,
        "verify_cpu_seconds": spent,
        "verify_grown_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def pages() -> dict[str, float]:
    """Ask for pages of the audit: the median of five, in seconds."""
    import statistics

    from django.db import connection
    from django.test import Client

    from apps.accounts.models import User

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = Client()
    client.force_login(User.objects.get(username="bench-admin"))
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        name: ("/audit/", query) for name, query in PAGES.items()
    }
    asked["REST, first page with count"] = ("/api/audit/", {})
    asked["REST, commands with count"] = ("/api/audit/", {"kind": "commands"})
    found = {}
    for name, (path, query) in asked.items():
        times = []
        for _ in range(5):
            started = time.perf_counter()
            if client.get(path, query).status_code != 200:
                sys.exit(f"{path} did not answer: {name}")
            times.append(time.perf_counter() - started)
        found[name] = statistics.median(times)
    return found


def say(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    print(f"{found['rows']:,} rows; goals: verify ≤ 60 s a million, page ≤ 2 s.\n")
    print("| what | found |\n|---|---|")
    print(f"| sealing | {found['seal_rows_a_second']:,.0f} rows/s |")
    print(f"| audit_verify | {found['verify_seconds']:.1f} s |")
    print(f"| its own CPU time | {found['verify_cpu_seconds']:.1f} s |")
    print(f"| its memory, above what was there | {found['verify_grown_mib']:.1f} MiB |")
    for name, seconds in found["pages"].items():
        print(f"| {name} | {seconds * 1000:.0f} ms |")


if __name__ == "__main__":
    sys.exit(main())
