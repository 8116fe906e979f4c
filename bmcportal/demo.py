"""The demo: a simulated fleet in a process of its own, and servers that point to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services.people import PersonFacts, person_create
from apps.bmc import Secret
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.inventory.models import Bmc, CredentialProfile, Rack, Server, ServerStatus, Tag
from apps.simulator.door_client import ask_door

NETWORK: Final = "127.10.0.0/16"
CONTROL_HOST: Final = "127.0.0.1"
CLUSTERS: Final = ("web-eu", "db-a", "hpc", "kvm-eu", "stor-b")
TAGS: Final = {
    "web-eu": ("prod",),
    "db-a": ("pci", "prod"),
    "kvm-eu": ("lab",),
    "stor-b": ("ceph",),
}
MODELS: Final = {
    "dell-idrac9": "PowerEdge R740",
    "supermicro-x11": "SYS-6029P",
    "hpe-ilo5": "ProLiant DL380 Gen10",
    "openbmc": "OpenBMC evaluation board",
}
PEOPLE: Final[tuple[tuple[str, str, dict[str | None, Role]], ...]] = (
    ("mara", "Mara Lindqvist", {None: Role.OPERATOR}),
    ("jonas", "Jonas Weber", {"web-eu": Role.OPERATOR, "kvm-eu": Role.USER}),
    ("nightwatch", "Night watch", {None: Role.READONLY}),
)
"""Names, and roles by cluster; they have no password, so nobody comes in as one of them."""
PER_RACK: Final = 20
PROTECTED_EVERY: Final = 19
PROTECTED_REASON: Final = "Firmware trial until Friday"
SLOW_EVERY, SILENT_EVERY, REFUSED_EVERY, OFF_EVERY = 11, 13, 17, 6


@contextmanager
def simulated_fleet(count: int, port: int, control_port: int) -> Iterator[dict[str, Any]]:
    """Run the simulator until the block ends; yield what its credentials file says.

    :raises RuntimeError: the simulator did not start; its own sentence is on stderr.
    """
    path = Path(settings.DATA_DIR) / "fleet.json"
    command = [
        sys.executable, "manage.py", "simulate_bmcs", "run",
        "--count", str(count), "--network", NETWORK, "--port", str(port),
        "--control", f"{CONTROL_HOST}:{control_port}", "--credentials-file", str(path),
        "--off-every", str(OFF_EVERY),
    ]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603  our own command, no shell
        command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError("The simulator did not start; see the sentence above.")
        yield json.loads(path.read_text(encoding="utf-8"))
    finally:
        process.terminate()
        process.wait(timeout=10)


def seed(fleet: dict[str, Any]) -> None:
    """Bring the fleet's BMCs into the inventory; what is there already stays as it is."""
    with transaction.atomic():
        site, _ = Site.objects.get_or_create(name="Demo hall")
        clusters = [Cluster.objects.get_or_create(name=name)[0] for name in CLUSTERS]
        good = _profile("demo", fleet["username"], fleet["password"])
        stale = _profile("demo, password of last year", fleet["username"], "not-the-password")
        words = sorted({word for some in TAGS.values() for word in some})
        tags = {name: Tag.objects.get_or_create(name=name)[0] for name in words}
        known = set(Bmc.objects.values_list("address", flat=True))
        for bmc in fleet["bmcs"]:
            if bmc["address"] in known:
                continue
            index = bmc["index"]
            row = Bmc.objects.create(
                site=site, address=bmc["address"], port=bmc["port"],
                profile=stale if _every(index, REFUSED_EVERY) else good,
            )  # fmt: skip
            cluster = clusters[index % len(clusters)]
            server = Server.objects.create(
                name=f"{cluster.name}-{index // len(clusters) + 1:03}", cluster=cluster, bmc=row,
                **_facts(site, bmc),
            )  # fmt: skip
            server.tags.set(tags[name] for name in TAGS.get(cluster.name, ()))
            ServerStatus.objects.create(server=server)


def people_add(admin: User) -> None:
    """Add a few people, so that the pages about them have something to show."""
    clusters = {cluster.name: cluster.pk for cluster in Cluster.objects.filter(name__in=CLUSTERS)}
    for username, name, roles in PEOPLE:
        if not User.objects.filter(username=username).exists():
            grants = {clusters[place] if place else None: role for place, role in roles.items()}
            facts = PersonFacts(username, name, f"{username}@example.org")
            person_create(actor=admin, facts=facts, grants=grants)


def _facts(site: Site, bmc: dict[str, Any]) -> dict[str, Any]:
    """Return place, model and protection of a demo server: twenty to a rack, two units apart."""
    index = bmc["index"]
    number, slot = divmod(index, PER_RACK)
    name = f"{chr(ord('A') + number // 8 % 26)}{number // 208 * 8 + number % 8 + 1:02}"
    rack, _ = Rack.objects.get_or_create(site=site, name=name, defaults={"feeds": ["A", "B"]})
    is_protected = _every(index, PROTECTED_EVERY)
    return {
        "rack": rack,
        "rack_unit": 2 * slot + 1,
        "model": MODELS.get(bmc["profile"], ""),
        "is_protected": is_protected,
        "protected_reason": PROTECTED_REASON if is_protected else "",
    }


def misbehave(fleet: dict[str, Any], control_port: int) -> None:
    """Let some BMCs be silent or slow, so that the pages have something to explain."""
    door = (CONTROL_HOST, control_port)
    for bmc in fleet["bmcs"]:
        which = f"/bmcs/{bmc['index']}/faults"
        if _every(bmc["index"], SILENT_EVERY):
            ask_door(door, "POST", which, {"silent": True})
        elif _every(bmc["index"], SLOW_EVERY):
            ask_door(door, "POST", which, {"latency_seconds": 0.8})


def _every(index: int, step: int) -> bool:
    return index % step == step - 1


def _profile(name: str, username: str, password: str) -> CredentialProfile:
    profile = CredentialProfile.objects.filter(name=name).first() or CredentialProfile(name=name)
    profile.username = username
    profile.networks = [NETWORK]
    profile.is_open_everywhere = True
    profile.secrets_set(password=Secret(password), kg=None)
    profile.save()
    return profile
