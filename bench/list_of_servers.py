"""How long the server list takes: 5,000 servers, seeded in an empty database given by DATABASE_URL.

usage: DATABASE_URL=postgres://postgres@127.0.0.1/bench_list python -m bench.list_of_servers

Server time is measured around the whole request, middleware and templates included, in one process
on one core. Prints Markdown, with --json one line of JSON; ends with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from typing import Any, Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bmcportal.settings_test")
os.environ.setdefault("RATES", "search=100000/60")  # nobody asks as fast as this
SERVERS: Final = 5000
ROUNDS: Final = 60
GOAL_MS, GOAL_QUERIES = 100.0, 8
SITES, CLUSTERS, RACK_SERVERS, TAGS = 4, 24, 38, 30
MODELS: Final = ("Dell R660", "HPE DL380 Gen11", "Lenovo SR650 V3", "Supermicro AS-4125GS")
FAULTS: Final = ("unreachable", "auth_failed", "name_not_resolved", "busy")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=SERVERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
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
    seed(options.servers)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    from bmcportal.asgi import application  # noqa: F401  frees the collector, as when serving

    found = {name: measure(path, options.rounds) for name, path in paths().items()}
    say(found, options.servers, as_json=options.json)
    missed = [r for r in found.values() if r["p95_ms"] > GOAL_MS or r["queries"] > GOAL_QUERIES]
    return 1 if missed else 0


def seed(count: int) -> None:
    """Fill the database with servers of every kind; the same ones in every run."""
    from django.utils import timezone

    from apps.clusters.choices import Role
    from apps.clusters.models import Cluster, Site
    from apps.core.testing import make_user
    from apps.inventory.models import Bmc, Rack, Server, ServerStatus, Tag

    dice, now = random.Random(1), timezone.now()
    sites = [Site.objects.create(name=f"site-{i}") for i in range(SITES)]
    clusters = [Cluster.objects.create(name=f"cluster-{i:02}") for i in range(CLUSTERS)]
    racks = Rack.objects.bulk_create(
        Rack(site=sites[i % SITES], name=f"{chr(65 + i % 6)}{i // 6 + 1:02}")
        for i in range(count // RACK_SERVERS + 1)
    )
    tags = Tag.objects.bulk_create(Tag(name=f"tag-{i:02}") for i in range(TAGS))
    bmcs = Bmc.objects.bulk_create(
        Bmc(site=racks[i // RACK_SERVERS].site, address=f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
        for i in range(count)
    )
    servers = Server.objects.bulk_create(
        Server(
            name=f"{clusters[i % CLUSTERS].name}-n{i // CLUSTERS + 1}", bmc=bmcs[i],
            cluster=clusters[i % CLUSTERS] if i % 50 else None, model=dice.choice(MODELS),
            serial=f"SN{dice.randrange(10**9):09}", asset_tag=f"AT-{i:06}",
            rack=racks[i // RACK_SERVERS], rack_unit=i % RACK_SERVERS + 1,
            is_protected=i % 40 == 0, protected_reason="kept" if i % 40 == 0 else "",
            notes="Bought in spring. " * 5, custom_fields={"owner": f"team {i % 9}"},
        )
        for i in range(count)
    )  # fmt: skip
    ServerStatus.objects.bulk_create(_status(server, dice, now) for server in servers)
    through = Server.tags.through
    through.objects.bulk_create(
        through(server_id=server.pk, tag_id=tag.pk)
        for server in servers
        for tag in dice.sample(tags, 3)
    )
    make_user("bench-admin", Role.ADMIN)


def _status(server: Any, dice: random.Random, now: Any) -> Any:
    from apps.inventory.models import ServerStatus

    luck = dice.random()
    if luck < 0.05:
        fault = dice.choice(FAULTS)
        return ServerStatus(
            server=server, fault=fault, fault_at=now, last_power="on", power_read_at=now
        )
    power = "off" if luck < 0.15 else "on"
    return ServerStatus(
        server=server, power=power, last_power=power, power_read_at=now, fault="", fault_at=None
    )


def paths() -> dict[str, str]:
    from django.utils.http import urlencode

    from apps.clusters.models import Cluster, Site
    from apps.inventory.models import Rack

    cluster, site = Cluster.objects.all()[3].pk, Site.objects.all()[1].pk
    rack = Rack.objects.all()[5].pk
    asked: dict[str, dict[str, Any]] = {
        "first page": {},
        "filtered: cluster, power": {"cluster": cluster, "power": "on"},
        "filtered: all places, tag, model, fault": {
            "cluster": cluster, "site": site, "rack": rack, "tag": "tag-01", "model": "Dell",
            "fault": "any", "protected": "false",
        },
        "searched: a name": {"q": "cluster-07-n1"},
        "searched: nothing": {"q": "no such server"},
        "node set: names": {"q": "cluster-[00-23]-n[1-180]!cluster-07-n7"},
        "node set: groups": {"q": "@site:site-1 & @power:on ! @tag:tag-0[1-3]"},
        "node set: unknown names": {"q": "cluster-00-n[1-400],other-[001-300]"},
        "page 40": {"page": 40},
        "page 40 by rack": {"page": 40, "sort": "rack"},
        "page 40 by power, more columns": {
            "page": 40, "sort": "-power", "columns": "cluster,rack,bmc,serial,site,custom.owner",
        },
    }  # fmt: skip
    return {name: f"/servers/?{urlencode(query)}" for name, query in asked.items()}


def measure(path: str, rounds: int) -> dict[str, float]:
    """Ask for one list again and again: the median and the 95th percentile in milliseconds."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from apps.accounts.models import User

    client = Client()
    client.force_login(User.objects.get(username="bench-admin"))
    client.get(path)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            sys.exit(f"{path} answered {answer.status_code}")
    with CaptureQueriesContext(connection) as asked:
        client.get(path)
    return {
        "p50_ms": statistics.median(times),
        "p95_ms": statistics.quantiles(times, n=20)[18],
        "queries": len(asked),
    }


def say(found: dict[str, dict[str, float]], servers: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    print(f"{servers} servers, 100 rows a page; goal: p95 ≤ {GOAL_MS:.0f} ms, ≤ {GOAL_QUERIES}.\n")
    print("| list | p50 | p95 | queries |\n|---|---|---|---|")
    for name, row in found.items():
        print(
            f"| {name} | {row['p50_ms']:.0f} ms | {row['p95_ms']:.0f} ms | {row['queries']:.0f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
