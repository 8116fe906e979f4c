"""What the rows are about: one server of the cluster "web" and everything around it, and the cast.

Names in the paths of rows are keys of `World.ids`, or of `World.own`: what each person has alone.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from apps.accounts.models import AccessPolicy, ApiToken, Invitation, ScriptSession, User
from apps.accounts.services import api_token_create
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.testing import (
    make_cluster,
    make_profile,
    make_rack,
    make_server,
    make_site,
    make_user,
)
from apps.discovery.models import ConnectionTest
from apps.inventory.models import CustomField, SavedView, Server, ServerSelection
from apps.jobs.models import BmcLease, Worker
from apps.jobs.services import job_create
from bmcportal.tests.privileges.credentials import CAPPED, CREDENTIALS, Headers
from bmcportal.tests.privileges.rows import CAST

Ids = dict[str, Any]
EVERYBODY: Final = (*CAST, "disabled")
NO_RECORD: Final = frozenset(
    {
        "sessions.Session", "usersessions.UserSession", "axes.AccessAttempt", "axes.AccessLog",
        "axes.AccessFailureLog", "accounts.ApiToken", "accounts.ScriptSession", "audit.RateCount",
    }
)  # fmt: skip
"""Rows that say who knocked at a door and when, not what is in the house."""


@dataclass
class World:
    people: dict[str, User]
    ids: Ids
    own: dict[str, Ids]
    bodies: dict[str, Any]
    sessions: dict[str, str] = field(default_factory=dict)
    credentials: dict[tuple[str, str], Headers] = field(default_factory=dict)
    record: str = ""
    """The digest of the whole record before anybody asks."""

    def path(self, path: str, who: str) -> str:
        return "/" + path.format(**self.ids | self.own.get(who, {}))

    def body(self, body: Any, who: str) -> Any:
        told = self.bodies[body] if isinstance(body, str) else body
        if not isinstance(told, dict):
            return told
        known = self.ids | self.own.get(who, {})
        return {
            name: value.format(**known) if isinstance(value, str) and "{" in value else value
            for name, value in told.items()
        }

    def client(self, who: str, **options: Any) -> Client:
        """Return a browser with that person's session; a fresh one, answers cannot change it."""
        client = Client(**options)
        if who in self.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[who]
        return client


def record_digest() -> str:
    """Return a digest of everything that is stored."""
    found = sha256()
    for model in apps.get_models():
        if model._meta.label not in NO_RECORD:
            rows = model._base_manager.order_by("pk").values_list()
            found.update(f"{model._meta.label}{list(rows)!r}".encode())
    return found.hexdigest()


def world_build() -> World:
    web = make_cluster("web")
    people = {
        "admin": make_user("admin", Role.ADMIN),
        "operator": make_user("operator", Role.OPERATOR, web),
        "user": make_user("user", Role.USER, web),
        "readonly": make_user("readonly", Role.READONLY, web),
        "outsider": make_user("outsider", Role.OPERATOR, make_cluster("elsewhere")),
        "disabled": make_user("disabled", Role.ADMIN),
    }
    User.objects.filter(username__in=("admin", "disabled")).update(is_staff=True)
    rack = make_rack("A01", site=make_site("fra"))
    profile = make_profile(networks=["10.0.0.0/8"])
    status = {"power": "on", "fault": "", "power_read_at": now_plus(0)}
    known = {"cluster": web, "site": rack.site, "profile": profile, "status": status}
    server = make_server(name="web-1", rack=rack, address="10.0.0.1", **known)
    busy = make_server(name="web-2", address="10.0.0.4", **known)
    world = World(people, _ids(people, server, busy), _own(people, server), {})
    world.bodies = _api_bodies(world.ids) | _page_bodies(world.ids)
    _sign_in(world)
    session = ScriptSession.objects.filter(user=people["admin"]).latest("pk")
    world.ids["script_session"] = session.pk
    world.ids["usersessions_usersession"] = _session_row(people["user"], world.sessions["user"])
    world.record = record_digest()
    return world


def _ids(people: dict[str, User], server: Server, busy: Server) -> Ids:
    admin, rack, bmc = people["admin"], server.rack, server.bmc
    assert rack is not None
    assert bmc.profile is not None
    job = job_create(kind="power", params={"action": "off"}, targets=[busy], actor=admin)
    worker = Worker.objects.create(name="w1", host="h", pid=1, heartbeat_at=now_plus(3600))
    colleague = make_user("colleague", Role.ADMIN)
    selection = ServerSelection.objects.create(user=colleague, ids=[server.pk])
    test = ConnectionTest.objects.create(
        requested_by=admin, server=server, site=bmc.site, address=bmc.address, port=bmc.port,
        profile=bmc.profile, suite="auto",
    )  # fmt: skip
    attempt = AccessAttempt.objects.create(
        username="operator", ip_address="192.0.2.1", failures_since_start=3
    )
    entry = entry_record(actor=admin, action="inventory.server.create", obj=server)
    return {
        "site": bmc.site_id,
        "empty_site": make_site("empty").pk,
        "cluster": server.cluster_id,
        "server": server.pk,
        "busy": busy.pk,
        "rack": rack.pk,
        "empty_rack": make_rack("E01").pk,
        "bmc": bmc.pk,
        "profile": make_profile().pk,
        "used_profile": bmc.profile_id,
        "field": CustomField.objects.create(key="owner", label="Owner").pk,
        "job": job.pk,
        "test": test.pk,
        "foreign_selection": selection.pk,
        "foreign_view": SavedView.objects.create(user=colleague, name="theirs").pk,
        "server_type": ContentType.objects.get_for_model(Server).pk,
        "foreign_token": _token_of(colleague),
        "accounts_accesspolicy": AccessPolicy.objects.get_or_create(pk=1)[0].pk,
        "accounts_invitation": Invitation.objects.create(
            name="New", invited_by=admin, digest="0" * 64, expires_at=now_plus(3600)
        ).pk,
        "accounts_user": people["operator"].pk,
        "with_factor": people["user"].pk,
        "mfa_authenticator": Authenticator.objects.create(
            user=people["user"], type=Authenticator.Type.TOTP, data={"secret": "x"}
        ).pk,
        "audit_auditentry": entry.pk,
        "axes_accessattempt": attempt.pk,
        "clusters_cluster": server.cluster_id,
        "clusters_site": bmc.site_id,
        "inventory_bmc": bmc.pk,
        "inventory_credentialprofile": bmc.profile_id,
        "inventory_server": server.pk,
        "jobs_job": job.pk,
        "jobs_jobtarget": job.targets.get().pk,
        "jobs_worker": worker.pk,
        "jobs_bmclease": BmcLease.objects.create(bmc=bmc, holder="", token=1).pk,
    }


def _own(people: dict[str, User], server: Server) -> dict[str, Ids]:
    nothing = {"selection": uuid.UUID(int=0), "view": 0, "token": 0}
    own: dict[str, Ids] = {"nobody": nothing}
    for who, person in people.items():
        own[who] = {
            "selection": ServerSelection.objects.create(user=person, ids=[server.pk]).pk,
            "token": _token_of(person),
            "view": SavedView.objects.create(user=person, name="mine too").pk,
        }
    return own


def _session_row(person: User, key: str) -> int:
    known = {"user": person, "ip": "192.0.2.1", "user_agent": "a browser"}
    return int(UserSession.objects.get_or_create(session_key=key, defaults=known)[0].pk)


def _token_of(person: User) -> int:
    api_token_create(user=person, days=1)
    return int(ApiToken.objects.filter(user=person).latest("pk").pk)


def _sign_in(world: World) -> None:
    for who, person in world.people.items():
        client = Client()
        client.force_login(person)
        world.sessions[who] = client.cookies[settings.SESSION_COOKIE_NAME].value
        for one in (*CREDENTIALS, CAPPED):
            world.credentials[one.name, who] = one.headers(person)
    User.objects.filter(username="disabled").update(is_active=False)


def _api_bodies(ids: Ids) -> dict[str, Any]:
    new = {
        "name": "new",
        "cluster": ids["cluster"],
        "place": {"site": ids["site"]},
        "bmc": {"address": "10.0.0.2"},
    }
    return {
        "new": new,
        "news": [new],
        "changes": [{"id": ids["server"], "model": "R640"}],
        "rack": {"name": "A02", "site": ids["site"]},
        "profile": {"name": "n", "username": "u", "password": "p", "networks": ["10.0.0.0/8"]},
    }


def _page_bodies(ids: Ids) -> dict[str, Any]:
    version = {"version": 1}
    tested = {
        "site": ids["site"],
        "address": "10.0.0.3",
        "port": 623,
        "profile": ids["used_profile"],
        "suite": "auto",
    }
    return {
        "order": {"request_key": str(uuid.UUID(int=7)), "typed_name": "web-1"},
        "server_form": tested | {"name": "web-3", "cluster": ids["cluster"]},
        "tested": tested,
        "rack_form": {"name": "A03", "site": ids["site"], "units": 42},
        "profile_form": {
            "name": "p2", "username": "u", "password": "p", "networks": "10.0.0.0/8",
            "privilege": 4, "is_open_everywhere": "on",
        },
        "field_form": {"key": "tier", "label": "Tier", "kind": "text", "position": 1},
        "wrong": {"username": "admin", "password": "not hers"},
        "person": {"name": "New", "username": "new", "email": "", "where": "clusters"} | version,
        "reasoned": {"reason": "as agreed"} | version,
        "named": {"name": "other"} | version,
        "removed": version,
    }  # fmt: skip
