"""What browsers are told, on every answer: what may run, who may frame it, what cookies are for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings as portal
from django.db import OperationalError, connection
from django.test import Client
from django.urls import URLResolver, get_resolver
from pytest_django import Settings
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.services import api_token_create, staff_follow
from apps.core.testing import PASSWORD
from bmcportal.tests.test_deployment import PRODUCTION, ROOT

pytestmark = pytest.mark.django_db

POLICY = {
    "default-src": "'none'", "object-src": "'none'", "base-uri": "'none'",
    "frame-ancestors": "'none'", "form-action": "'self'", "connect-src": "'self'",
    "style-src": "'self'", "font-src": "'self'", "img-src": "'self' data:",
}  # fmt: skip
Get = Callable[[Client], Any]


def broken(error: Exception) -> Get:
    def get(client: Client) -> Any:
        def wrapper(execute: Callable[..., Any], *_: Any) -> Any:
            raise error

        with connection.execute_wrapper(wrapper):
            return client.get("/servers/")

    return get


def too_often(client: Client) -> Any:
    client.get("/servers/?q=a")
    return client.get("/servers/?q=a")


def file(client: Client) -> Any:
    answer = client.get("/static/css/portal.css")
    answer.close()
    return answer


ANSWERS: dict[str, tuple[int, Get]] = {
    "page": (200, lambda client: client.get("/servers/")),
    "fragment": (200, lambda client: client.get("/servers/", headers={"HX-Request": "true"})),
    "sign-in page": (200, lambda client: Client().get("/account/sign-in")),
    "to the sign-in page": (302, lambda client: Client().get("/servers/")),
    "form refused": (422, lambda client: client.post("/profiles/add", {})),
    "not found": (404, lambda client: client.get("/servers/99/")),
    "no such path": (404, lambda client: client.get("/nope")),
    "other method": (405, lambda client: client.put("/servers/")),
    "foreign host": (400, lambda client: client.get("/servers/", HTTP_HOST="evil.example")),
    "no CSRF token": (
        403,
        lambda client: Client(enforce_csrf_checks=True).post("/account/sign-in"),
    ),
    "too often": (429, too_often),
    "our mistake": (500, broken(ZeroDivisionError())),
    "database away": (503, broken(OperationalError())),
    "file": (200, file),
    "no such file": (404, lambda client: client.get("/static/css/nope.css")),
    "API": (200, lambda client: client.get("/api/servers/")),
    "API anonymous": (401, lambda client: Client().get("/api/servers/")),
    "API not found": (404, lambda client: client.get("/api/nope")),
    "API malformed": (400, lambda client: client.post("/api/sites/", "{", "application/json")),
    "API docs": (200, lambda client: client.get("/api/docs/")),
    "Django admin": (200, lambda client: client.get("/admin/")),
    "health": (200, lambda client: client.get("/healthz")),
    "metrics": (200, lambda client: client.get("/metrics")),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_has_every_header(kind: str, admin: User, settings: Settings) -> None:
    settings.RATES = {**settings.RATES, "search": (1, 60)}
    staff_follow(user=admin)
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    status, get = ANSWERS[kind]
    answer = get(client)
    assert answer.status_code == status
    rules = [rule.partition(" ") for rule in answer["Content-Security-Policy"].split("; ")]
    policy = {name: value for name, _, value in rules}
    scripts = policy.pop("script-src")
    assert policy == POLICY
    assert re.fullmatch(r"'self'( 'nonce-[\w+/=-]+')?", scripts)
    permissions = answer["Permissions-Policy"]
    assert "camera=()" in permissions
    assert "publickey-credentials-get=(self)" in permissions
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == answer["Cross-Origin-Opener-Policy"] == "same-origin"


def test_cookies_are_for_this_host_and_no_script(client: Client, admin: User) -> None:
    client.get("/account/sign-in")
    client.post("/language/", {"language": "en"})
    client.post("/account/sign-in", {"username": "admin", "password": PASSWORD})
    assert len(client.cookies) == 4
    for cookie in client.cookies.values():
        assert (cookie["samesite"], cookie["httponly"]) == ("Lax", True), cookie.key
        # The one of a known device is of use where people sign in, and nowhere else.
        place = "/account/" if cookie.key.startswith("known_device_") else "/"
        assert (cookie["path"], cookie["domain"]) == (place, ""), cookie.key


def test_with_https_browsers_themselves_see_to_it_that_cookies_are_the_portal_s(
    tmp_path: Any,
) -> None:
    code = (
        "from django.conf import settings as s; "
        "kinds = ('SESSION_COOKIE', 'CSRF_COOKIE', 'LANGUAGE_COOKIE'); "
        "print([(getattr(s, k + '_NAME'), getattr(s, k + '_SECURE')) for k in kinds], "
        "s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS)"
    )
    environment = {**PRODUCTION, "DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", code],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert done.stdout.strip() == (
        "[('__Host-sessionid', True), ('__Host-csrftoken', True), ('__Host-language', True)] "
        "True 31536000"
    )


# ------------------------------------------------------------------ CSRF

SAMPLES = {"int": "1", "uuid": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "path": "1"}


def paths(resolver: URLResolver, before: str = "/") -> Iterator[tuple[str, Any]]:
    """Yield every path there is, with something in its places, and its view."""
    for found in resolver.url_patterns:
        route = re.sub(
            r"<(?:(\w+):)?\w+>", lambda m: SAMPLES.get(m[1] or "", "x"), str(found.pattern)
        )
        if isinstance(found, URLResolver):
            yield from paths(found, before + route)
        elif not set(route) & set("^$("):
            yield before + route, found.callback


ALL = sorted(dict(paths(get_resolver())))
DOORS = {"/api/auth/token", "/api/auth/token/refresh", "/api/auth/token/revoke"}
"""They know no session: name and password, or a refresh token, come in the body."""
API = [path for path in ALL if path.startswith("/api/") or path == "/metrics"]
PAGES = [path for path in ALL if path not in API]


def test_the_walk_finds_the_paths() -> None:
    assert {"/servers/add", "/servers/1/power/x/", "/admin/login/", "/account/sign-in"} <= set(
        PAGES
    )
    assert {"/api/servers/", "/api/servers/1"} <= set(API)
    assert len(PAGES) > 60
    assert len(API) > 20


@pytest.mark.parametrize("path", PAGES)
def test_no_page_takes_anything_without_the_token(path: str, admin: User) -> None:
    staff_follow(user=admin)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(client, method)(path)
        assert answer.status_code == HTTPStatus.FORBIDDEN, (method, path)
        assert "This page was open for too long" in answer.content.decode()


@pytest.mark.parametrize("path", sorted(DOORS))
def test_a_session_is_nothing_at_the_doors_of_scripts(path: str, admin: User) -> None:
    client = Client()
    client.force_login(admin)
    answer = client.post(path, {}, "application/json")
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not answer.cookies


@pytest.mark.parametrize("path", [path for path in API if path not in DOORS])
def test_the_api_takes_nothing_from_a_browser_without_the_token(path: str, admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(client, method)(path)
        assert answer.json()["code"] == "csrf_failed", (method, path)


def test_a_token_of_a_script_needs_no_csrf_token(admin: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Token {api_token_create(user=admin, days=1)}")
    assert client.post("/api/sites/", {"name": "fra"}).status_code == HTTPStatus.CREATED


def test_the_token_of_another_origin_is_refused(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    client.get("/sites/add")
    token = client.cookies[portal.CSRF_COOKIE_NAME].value
    typed = {"name": "fra", "csrfmiddlewaretoken": token}
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        assert client.post("/sites/add", typed, headers={"Origin": origin}).status_code == 403
    assert client.post("/sites/add", typed).status_code == 303
