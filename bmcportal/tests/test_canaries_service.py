"""Distinctive secrets go through all of production mode; then they are looked for everywhere."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
import redis
from psycopg import sql

from apps.simulator.thread import FleetThread
from bmcportal.tests.production import (
    POSTGRES,
    POSTGRES_USER,
    Production,
    need_services,
    wait_until,
)

# One process has them all: they share a Redis, and doing everything once is enough.
pytestmark = [pytest.mark.service, pytest.mark.xdist_group("canaries")]

REDIS: Final = "redis://127.0.0.1:6379/11"
MARK: Final = "Canary-profile"
"""Is no secret, and must be found: else nothing was searched."""

SEED = """
import json
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from apps.accounts.models import User
from apps.accounts.services import admin_ensure, api_token_create
from apps.clusters.models import Cluster, Site
given = json.loads({given!r})
admin = admin_ensure(username="admin", password=given["person"], reason="test")
other = User.objects.create_user("other", password=given["person"])
TOTP.activate(other, given["totp"])
codes = RecoveryCodes.activate(other).generate_codes()
site, cluster = Site.objects.create(name="A"), Cluster.objects.create(name="web")
told = dict(site=site.pk, cluster=cluster.pk, codes=codes)
told["token"] = api_token_create(user=admin, days=1, name="canary")
print("told", json.dumps(told))
"""


def canary(length: int = 16) -> str:
    return f"Kn{secrets.token_hex(length)}"[:length]


@dataclass
class Search:
    """Secrets by what they are, and what was collected."""

    secrets: dict[str, str]
    answers: list[tuple[str, str]] = field(default_factory=list)
    redis_said: list[str] = field(default_factory=list)
    command_lines: set[str] = field(default_factory=set)

    def found_in(self, text: str) -> list[str]:
        """Return which secrets are in a text, as they are or in another writing."""
        return [what for what, word in self.secrets.items() if _is_in(word, text)]

    def look(self, answer: httpx.Response) -> httpx.Response:
        """Keep an answer with its headers, then look at the command lines of this machine."""
        heads = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        self.answers.append((f"{answer.request.method} {answer.url}", f"{heads}\n{answer.text}"))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.command_lines.add(path.read_bytes().replace(b"\0", b" ").decode("latin-1"))
            except OSError:
                continue
        return answer


def _is_in(word: str, text: str) -> bool:
    """Look for a secret; eight digits turn up inside longer numbers, so they stand alone."""
    if word.isdigit():
        return bool(re.search(rf"(?<![\w.]){word}(?!\w)", text))
    return any(form in text for form in _forms(word))


def _forms(word: str) -> list[str]:
    raw = word.encode()
    encoded = [base64.b64encode(b"x" * shift + raw).decode()[4:-4] for shift in range(3)]
    return [word, raw.hex(), *encoded]


@contextmanager
def monitored(search: Search) -> Iterator[None]:
    """Collect every command that the processes send to Redis."""
    client = redis.Redis.from_url(REDIS, socket_timeout=None)
    stop = threading.Event()

    def listen() -> None:
        with client.monitor() as monitor:  # type: ignore[no-untyped-call]  # has no types
            while not stop.is_set():
                search.redis_said.append(str(monitor.next_command()))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield
    stop.set()
    client.ping()  # one more command, so that it sees the stop
    thread.join(5)
    client.close()


@pytest.fixture(scope="module")
def searched(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Search, Production]]:
    """Everything was done once; all processes are still there."""
    need_services()
    folder = tmp_path_factory.mktemp("canaries")
    keys, key = canary(64), base64.b64encode(os.urandom(32)).decode()
    (folder / "secret_key").write_text(keys)
    (folder / "credential_keys").write_text(f"k1:{key}")
    search = Search({
        "SECRET_KEY": keys, "CREDENTIAL_KEYS": key, "person": canary(), "wrong": canary(),
        "bmc": canary(), "kg": canary(), "api bmc": canary(), "typed and refused": canary(),
        "stale": canary(), "totp": "JBSWY3DPEHPK3PXPKRSXG5DJ",
    })  # fmt: skip
    settings = {
        "REDIS_URL": REDIS, "SECRET_KEY_FILE": str(folder / "secret_key"),
        "CREDENTIAL_KEYS_FILE": str(folder / "credential_keys"),
        "SWEEP_SECONDS": "1", "POLL_SECONDS": "5",
    }  # fmt: skip
    fleet = FleetThread(count=1, network="127.43.0.0/24", password=search.secrets["bmc"])
    with fleet as simulated, Production(folder, **settings) as running, monitored(search):
        given = json.dumps({name: search.secrets[name] for name in ("person", "totp")})
        said = running.python(SEED.format(given=given))
        told = json.loads(re.findall(r"told (\{.*\})", said)[0])
        search.secrets |= {"token": told["token"]}
        search.secrets |= {f"recovery code {n}": code for n, code in enumerate(told["codes"][:3])}
        running.start_web()
        running.start_bmc_worker("bmc1")
        running.start_beat()
        wait_until(lambda: _is_ready(running), 60, "ready")
        with httpx.Client(base_url=running.url, timeout=30, follow_redirects=True) as http:
            _everything(Person(search, http), running, told, simulated)
        yield search, running


def _is_ready(production: Production) -> bool:
    try:
        return httpx.get(f"{production.url}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


class Person:
    """A browser without scripts; what it gets is kept."""

    def __init__(self, search: Search, http: httpx.Client) -> None:
        self.search = search
        self.http = http

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.search.look(self.http.get(path, **more))

    def post(self, path: str, form: dict[str, Any], **more: Any) -> httpx.Response:
        token = {"csrfmiddlewaretoken": self.http.cookies.get("csrftoken", "")}
        headers = {"Referer": str(self.http.base_url)}
        return self.search.look(self.http.post(path, data=form | token, headers=headers, **more))


def _everything(
    person: Person, production: Production, told: dict[str, Any], simulated: FleetThread
) -> None:
    _sign_in(person)
    _profiles(person, production)
    server = _server(person, production, told, simulated)
    _orders(person, production, server)
    _mistakes(person, production)
    _script(person.search, production, told["token"])
    for path in (
        "/servers/?q=web", "/servers/filter", "/profiles/", "/profiles/1/history",
        "/profiles/1/edit", "/fields/", "/racks/", "/clusters/", "/sites/", "/metrics", "/readyz",
        f"/servers/{server}/", f"/servers/{server}/history", "/admin/", "/api/docs/", "/nope",
    ):  # fmt: skip
        person.get(path)
    for path in set(re.findall(r'href="(/admin/[a-z_]+/[a-z_]+/)"', person.get("/admin/").text)):
        page = person.get(path)
        for row in re.findall(rf'href="({path}[^"]+/change/)', page.text)[:3]:
            person.get(row)


def _sign_in(person: Person) -> None:
    words = person.search.secrets
    person.get("/account/sign-in")
    for password in (words["wrong"], words["person"]):
        answer = person.post("/account/sign-in", {"username": "admin", "password": password})
    assert answer.url.path == "/servers/"


def _profiles(person: Person, production: Production) -> None:
    words = person.search.secrets
    typed = {
        "name": MARK, "username": "admin", "password": words["bmc"], "kg": words["kg"],
        "networks": "127.0.0.0/8", "privilege": "3", "is_open_everywhere": "on",
    }  # fmt: skip
    wrong = typed | {"name": "", "password": words["typed and refused"], "networks": "everywhere"}
    assert person.post("/profiles/add", wrong).status_code == 422
    assert person.post("/profiles/add", typed).status_code == 200
    assert person.post("/profiles/add", typed | {"password": words["stale"]}).status_code == 422
    # The simulated BMC knows no Kg, so the account that logs in has none.
    now = typed | {"kg": "", "version": "1"}
    assert person.post("/profiles/1/edit", now).status_code == 200
    late = typed | {"username": "late", "password": words["stale"], "version": "1"}
    assert person.post("/profiles/1/edit", late).status_code == 409
    keeper = typed | {"name": "with kg"}
    assert person.post("/profiles/add", keeper).status_code == 200
    assert len(production.query("SELECT 1 FROM inventory_credentialprofile")) == 2


def _server(
    person: Person, production: Production, told: dict[str, Any], simulated: FleetThread
) -> int:
    username = simulated.fleet.username
    production.query_write("UPDATE inventory_credentialprofile SET username = %s", username)
    typed = {
        "name": "web-0", "cluster": told["cluster"], "site": told["site"], "profile": "1",
        "address": simulated.fleet[0].address, "port": simulated.fleet.port, "suite": "auto",
        "protocol": "ipmi", "unit_count": "1",
    }  # fmt: skip
    answer = person.post("/connection-tests/", typed)
    assert answer.url.path.startswith("/connection-tests/"), answer.text
    done = "SELECT outcome FROM discovery_connectiontest WHERE state = 'done'"
    assert wait_until(lambda: production.query(done), 30, "the test")[0][0] == "ok"
    person.get(answer.url.path)
    answer = person.post("/servers/add", typed)
    assert re.fullmatch(r"/servers/\d+/", answer.url.path), answer.text
    return int(answer.url.path.split("/")[2])


def _orders(person: Person, production: Production, server: int) -> None:
    read = "SELECT 1 FROM inventory_serverstatus WHERE power = 'on'"
    wait_until(lambda: production.query(read), 30, "a reading")
    path = f"/servers/{server}/power/soft_off/"
    key = {"request_key": str(uuid.uuid4()), "reason": "test"}
    assert person.post(path, key).status_code == 200
    over = "SELECT 1 FROM jobs_job WHERE finished_at IS NOT NULL"
    wait_until(lambda: production.query(over), 60, "the order")
    # What no key opens: the worker complains, and says no more than that.
    production.query_write("UPDATE inventory_bmc SET profile_id = 2")
    production.query_write(
        "UPDATE inventory_credentialprofile SET sealed_password = left(sealed_password, 40) "
        "WHERE id = 2"
    )
    person.post(f"/servers/{server}/read", {})
    fault = "SELECT fault FROM inventory_serverstatus WHERE fault <> ''"
    wait_until(lambda: production.query(fault), 60, "the fault")


def _mistakes(person: Person, production: Production) -> None:
    """Break the record under a form with a password: a traceback, and a page without one."""
    words = person.search.secrets
    typed = {
        "name": "lost", "username": "root", "password": words["typed and refused"],
        "kg": words["kg"], "networks": "127.0.0.0/8", "privilege": "3",
    }  # fmt: skip
    swap = "ALTER TABLE {} RENAME TO {}"
    production.query_write(swap.format("audit_auditentry", "away"))
    try:
        assert person.post("/profiles/add", typed).status_code == 500
    finally:
        production.query_write(swap.format("away", "audit_auditentry"))
    token = person.http.cookies["csrftoken"]
    person.http.cookies.delete("csrftoken")
    assert person.post("/profiles/add", typed).status_code == 403
    person.http.cookies.set("csrftoken", token, domain="127.0.0.1", path="/")
    production.doorway.shut()
    assert person.post("/profiles/add", typed).status_code == 503
    production.doorway.open()
    wait_until(lambda: _is_ready(production), 60, "ready again")


def _script(search: Search, production: Production, token: str) -> None:
    words = search.secrets
    headers = {"Authorization": f"Token {token}"}
    body = {"name": "api", "username": "x", "password": words["api bmc"], "networks": ["127.0.0.1"]}
    with httpx.Client(base_url=production.url, headers=headers, timeout=30) as http:
        for changed in ({}, {"kg": words["kg"] * 3}, {"networks": "wide"}, {"x": "y"}):
            search.look(http.post("/api/profiles/", json=body | changed))
        raw = json.dumps(body)[:-1]
        search.look(http.post("/api/profiles/", content=raw, headers={"Content-Type": "x/json"}))
        search.look(http.post("/api/profiles/", content=raw))
        for path in ("servers/", "profiles/", "profiles/1/history", "jobs/", "schema", "nope"):
            search.look(http.get(f"/api/{path}"))
        search.look(http.get("/metrics"))
        search.look(http.post("/api/servers/bulk", json={"password": words["api bmc"]}))
    wrong = {"Authorization": f"Token {token}x"}
    search.look(httpx.get(f"{production.url}/api/servers/", headers=wrong))


# ------------------------------------------------------------------ the search


@pytest.mark.timeout(180)
def test_no_answer_holds_a_secret(searched: tuple[Search, Production]) -> None:
    search, _ = searched
    planted = search.secrets["bmc"]
    for form in (planted, planted.encode().hex(), base64.b64encode(b"..." + planted.encode())):
        assert search.found_in(f"<{form!s}>") == ["bmc"]
    assert len(search.answers) > 50
    assert any(MARK in text for _, text in search.answers)
    hits = {asked: found for asked, text in search.answers if (found := search.found_in(text))}
    assert not hits


@pytest.mark.timeout(180)
def test_no_log_holds_a_secret(searched: tuple[Search, Production]) -> None:
    search, production = searched
    logs = {name: production.log(name) for name in production.processes}
    assert "audit_auditentry" in logs["web"]  # the mistake is there, with its traceback
    assert "exception" in logs["web"]
    assert not {name: found for name, log in logs.items() if (found := search.found_in(log))}


@pytest.mark.timeout(180)
def test_redis_never_saw_a_secret(searched: tuple[Search, Production]) -> None:
    search, _ = searched
    client = redis.Redis.from_url(REDIS)
    kept = [f"{key!r} {client.dump(key)!r}" for key in client.scan_iter(count=1000)]
    client.close()
    assert any("PUBLISH" in said or "LPUSH" in said for said in search.redis_said)
    assert not search.found_in("\n".join([*kept, *search.redis_said]))


@pytest.mark.timeout(180)
def test_the_database_keeps_no_secret_in_clear(searched: tuple[Search, Production]) -> None:
    search, production = searched
    dump = "\n".join(_dump(production.database))
    assert MARK in dump
    assert "v1.k1." in dump
    assert not search.found_in(dump)


@pytest.mark.timeout(180)
def test_no_command_line_held_a_secret(searched: tuple[Search, Production]) -> None:
    search, _ = searched
    assert any("bmcportal.asgi" in line for line in search.command_lines)
    assert not search.found_in("\n".join(search.command_lines))


def _dump(database: str) -> Iterator[str]:
    """Yield every row of every table as text, and what is inside of sessions."""
    names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    host, port = POSTGRES
    with psycopg.connect(host=host, port=port, user=POSTGRES_USER, dbname=database) as connection:
        for (name,) in connection.execute(names).fetchall():
            rows = sql.SQL("SELECT row_to_json(t)::text FROM {} t").format(sql.Identifier(name))
            yield from (str(row[0]) for row in connection.execute(rows))
        for (packed,) in connection.execute("SELECT session_data FROM django_session"):
            yield _unpacked(str(packed))


def _unpacked(packed: str) -> str:
    """Open a session as Django packs it: base64, with a dot before it if it was compressed."""
    body = packed.lstrip(".").split(":")[0]
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return (zlib.decompress(raw) if packed.startswith(".") else raw).decode()
