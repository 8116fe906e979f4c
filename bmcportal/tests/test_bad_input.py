"""Bodies that are too large, malformed or hostile: every door refuses them, none breaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from django.urls import get_resolver

from apps.accounts.models import User
from apps.core.testing import api_client
from bmcportal.asgi import application
from bmcportal.limits import MOST_BYTES
from bmcportal.tests.test_browser_rules import paths

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"
BODIES: dict[str, tuple[bytes, str]] = {
    "deep list": (b"[" * 100_000, JSON),
    "deep object": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, JSON),
    "too large": (b'{"name": "' + b"x" * 1024 * 1024 + b'"}', JSON),
    "of another kind": (b"<name>x</name>", "text/xml"),
    "a form": (b"name=x", FORM),
    "files": (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--', PARTS),
    "NUL": (b'{"name": "a\\u0000b", "\\u0000": 1}', JSON),
    "half of a pair": (b'{"name": "\\ud800", "\\udfff": 1}', JSON),
    "half of a pair, twice": (b'{"\\udfff": 1, "\\udfff": 2}', JSON),
    "not a number": (b'{"name": NaN}', JSON),
    "infinite": (b'{"name": -Infinity}', JSON),
    "a long number": (b'{"name": ' + b"9" * 5000 + b"}", JSON),
    "twice": (b'{"name": "a", "name": "b"}', JSON),
    "twice inside": (b'{"bmc": {"port": 1, "port": 2}}', JSON),
    "no UTF-8": (b'{"name": "\xff\xfe"}', JSON),
    "UTF-16": ('{"name": "x"}'.encode("utf-16"), JSON),
    "cut off": (b'{"name": ', JSON),
    "no object": (b'"x"', JSON),
    "unknown charset": (b'{"name": "x"', "application/json; charset=nope"),
}  # fmt: skip
API = sorted({path for path, _ in paths(get_resolver()) if path.startswith("/api/")})


@pytest.mark.parametrize("kind", BODIES)
def test_every_rest_path_refuses_it_and_none_breaks(kind: str, admin: User) -> None:
    client: Any = api_client(admin)
    body, content_type = BODIES[kind]
    assert len(API) > 20
    for path in API:
        for method in ("POST", "PUT", "PATCH"):
            answer = client.generic(method, path, body, content_type=content_type)
            assert 400 <= answer.status_code < 500, (method, path, answer.status_code)
            assert answer["Content-Type"] == "application/problem+json", (method, path)


def test_a_name_that_stands_twice_is_named(admin: User) -> None:
    answer = api_client(admin).post("/api/sites/", BODIES["twice"][0], content_type=JSON)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["name"])


@pytest.mark.parametrize("path", ["/account/sign-in", "/profiles/add", "/servers/selection"])
def test_a_form_that_is_too_large_is_refused_at_once(path: str, admin: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    many = "&".join(f"f{n}=1" for n in range(5000))
    parts = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n' for _ in range(3000)
    )
    for body, kind in ((many, FORM), (parts, PARTS), ("name=" + "x" * 3_000_000, FORM)):
        began = time.monotonic()
        answer = client.generic("POST", path, body, content_type=kind)
        assert 400 <= answer.status_code < 500, kind
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("path", ["/account/sign-in", "/profiles/add", "/servers/selection"])
def test_a_form_that_is_malformed_breaks_nothing(path: str, admin: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    for body, kind in (
        (b"--x\r\nno head", PARTS),
        (b"x", "multipart/form-data"),
        (b"name=%00&name=%ff%fe&%00=1", FORM),
        (b'{"name": 1}', JSON),
    ):
        assert client.generic("POST", path, body, content_type=kind).status_code < 500, kind


# ------------------------------------------------------------------ before Django


async def sent(path: str, chunks: Iterator[bytes], **headers: str) -> tuple[int, bytes, int]:
    """Return code and body of the answer, and how many chunks were taken."""
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http",
        "client": ("127.0.0.1", 1), "server": ("testserver", 80), "root_path": "",
        "headers": [
            (b"host", b"testserver"), (b"content-type", b"application/json"),
            *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
        ],
    }  # fmt: skip
    talk: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]  # has no types
    taken = 0
    for chunk in chunks:
        await talk.send_input({"type": "http.request", "body": chunk, "more_body": True})
        taken += 1
    start = await talk.receive_output(10)
    body = await talk.receive_output(10)
    await talk.send_input({"type": "http.disconnect"})
    await talk.wait(10)
    return start["status"], body["body"], taken


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/sites/", "/account/sign-in", "/nope"])
async def test_a_body_said_to_be_too_large_is_not_waited_for(path: str) -> None:
    status, body, _ = await sent(path, iter([]), content_length=str(MOST_BYTES + 1))
    assert status == 413
    assert (b"too_large" in body) == path.startswith("/api/")


@pytest.mark.django_db(transaction=True)
async def test_a_body_without_a_length_is_cut_off_where_it_is_too_large() -> None:
    pieces = [b"x" * 1024 * 1024] * 8
    status, body, _ = await sent("/api/sites/", iter(pieces), transfer_encoding="chunked")
    assert status == 413
    assert b"too_large" in body


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("length", ["", "-1", "x", "9" * 30, "\u0663"])
async def test_a_length_that_is_none_breaks_nothing(length: str) -> None:
    last = iter([b"x" * (MOST_BYTES + 1)])
    status, _, _ = await sent("/api/sites/", last, content_length=length)
    assert status == 413
