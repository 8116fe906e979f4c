"""Small factories for tests of every app: plain functions, sensible defaults."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections, transaction
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.bmc import Secret
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, RoleGrant, Site
from apps.inventory.models import Bmc, CredentialProfile, Rack, Server, ServerStatus

_serial = count(1)
PASSWORD = "a long enough passphrase"  # noqa: S105  for tests only


def make_user(
    name: str = "", role: Role | None = None, cluster: Cluster | None = None, **fields: Any
) -> User:
    """Return a person, with one role in that cluster (or everywhere) if one is named."""
    user = get_user_model().objects.create_user(
        username=name or f"person-{next(_serial)}", password=PASSWORD, **fields
    )
    if role is not None:
        RoleGrant.objects.create(user=user, role=role, cluster=cluster)
    return user


def side_by_side(*calls: Callable[[], Any]) -> list[Any]:
    """Call all of them at the same moment, each in a thread; return results or exceptions."""
    gate, found = threading.Barrier(len(calls)), list[Any](calls)

    def run(place: int) -> None:
        gate.wait(10)
        try:
            found[place] = calls[place]()
        except Exception as error:  # noqa: BLE001  the test looks at it
            found[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return found


def ends_of(results: list[Any]) -> list[str]:
    """Return how calls `side_by_side` ended: "done", or the name of the exception."""
    return sorted(type(one).__name__ if isinstance(one, Exception) else "done" for one in results)


def api_client(user: User | None = None) -> APIClient:
    """Return a client of the REST API, signed in with a session."""
    client = APIClient()
    if user is not None:
        client.force_login(user)
    return client


def make_site(name: str = "") -> Site:
    return Site.objects.get_or_create(name=name or "fra")[0]


def make_cluster(name: str = "") -> Cluster:
    return Cluster.objects.get_or_create(name=name or f"cluster-{next(_serial)}")[0]


def make_profile(**fields: Any) -> CredentialProfile:
    """Return a profile open to every operator, for 127.0.0.0/8, unless told otherwise."""
    clusters = fields.pop("clusters", [])
    password = fields.pop("password", "secret")
    profile = CredentialProfile(
        **{
            "name": f"profile-{next(_serial)}",
            "username": "admin",
            "networks": ["127.0.0.0/8"],
            "is_open_everywhere": not clusters,
        }
        | fields
    )
    profile.secrets_set(password=Secret(password), kg=None)
    profile.save()
    profile.clusters.set(clusters)
    return profile


def make_rack(name: str = "", **fields: Any) -> Rack:
    site = fields.pop("site", None) or make_site()
    return Rack.objects.create(name=name or f"rack-{next(_serial)}", site=site, **fields)


@transaction.atomic
def make_server(**fields: Any) -> Server:
    """Return a server with its BMC and its status, all at once: a worker may be looking.

    `status` is a dict for `ServerStatus`; `address`, `port`, `site`, `profile` go to the BMC.
    """
    serial = next(_serial)
    status = fields.pop("status", {})
    bmc = fields.pop("bmc", None) or Bmc.objects.create(
        site=fields.pop("site", None) or make_site(),
        address=fields.pop("address", f"127.{serial >> 16}.{serial >> 8 & 255}.{serial & 255}"),
        port=fields.pop("port", 623),
        profile=fields.pop("profile", None),
        guid=fields.pop("guid", ""),
    )
    server = Server.objects.create(**{"name": f"server-{serial:04d}", "bmc": bmc} | fields)
    ServerStatus.objects.create(server=server, **status)
    return server
