"""Every error of the REST API is a problem document, whatever raised it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, InterfaceError, OperationalError, connection
from django.http import Http404
from django.test import Client
from rest_framework.exceptions import Throttled

from apps.accounts.models import User
from apps.clusters.models import Cluster, Site
from apps.core.problems import WORDS, errors_flat, problem_of
from apps.core.testing import api_client, make_cluster, make_server, make_site

pytestmark = pytest.mark.django_db

JSON = "application/json"


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Return the document, after looking at all that every one has."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    told: dict[str, Any] = answer.json()
    assert (told["status"], told["code"]) == (status, code)
    assert told["type"] == f"urn:bmc-portal:problem:{code}"
    assert all(told[part] for part in ("title", "detail", "hint", "request_id"))
    assert "no-store" in answer["Cache-Control"]
    return told


@pytest.mark.parametrize(
    "path", ["/api/servers/", "/api/servers/1", "/api/nope", "/api", "/api/", "/api/schema/"]
)
def test_a_stranger_gets_401_and_a_challenge_never_a_redirect(client: Client, path: str) -> None:
    for answer in (client.get(path), client.post(path)):
        problem(answer, 401, "not_signed_in")
        assert answer["WWW-Authenticate"] == "Token"


def test_a_path_that_is_none_is_404(admin: User) -> None:
    client = api_client(admin)
    for path in ("/api", "/api/", "/api/nope", "/api/servers/x", "/api/servers//", "/api/jobs/1/y"):
        problem(client.get(path), 404, "not_found")
        problem(client.post(path, {}), 404, "not_found")


@pytest.mark.parametrize("body", [b"{", b"[1,]", b"{'a': 1}", b"\xff\xfe", b'{"a": NaN}', b"["])
def test_what_is_no_json_is_400(admin: User, body: bytes) -> None:
    answer = api_client(admin).post("/api/sites/", body, content_type=JSON)
    problem(answer, 400, "malformed")


def test_json_as_deep_as_it_is_long_is_400(admin: User) -> None:
    answer = api_client(admin).post("/api/sites/", b"[" * 100_000, content_type=JSON)
    problem(answer, 400, "malformed")


@pytest.mark.parametrize("body", ["null", "7", '"x"', "[]", "true", "[[[[]]]]", '{"name": {}}'])
def test_another_shape_than_an_object_is_422(admin: User, body: str) -> None:
    answer = api_client(admin).post("/api/sites/", body.encode(), content_type=JSON)
    assert problem(answer, 422, "invalid")["errors"]


def test_what_the_role_does_not_allow_is_403(readonly: User) -> None:
    answer = api_client(readonly).post("/api/sites/", {"name": "x"})
    problem(answer, 403, "forbidden")


def test_a_method_that_is_none_is_405_and_names_those_that_are(admin: User) -> None:
    client = api_client(admin)
    for answer in (
        client.delete("/api/servers/"),
        client.options("/api/servers/"),
        client.generic("BREW", "/api/servers/"),
        client.get("/api/servers/1/read"),
        client.put("/api/bmcs/1", {}),
    ):
        problem(answer, 405, "method_not_allowed")
        assert answer["Allow"]


def test_head_is_get_without_a_body(admin: User, outsider: User) -> None:
    server = make_server(cluster=make_cluster("web"))
    client = api_client(admin)
    for path in ("/api/servers/", f"/api/servers/{server.pk}", "/api/sites/", "/api/jobs/"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert client.head(f"/api/servers/{server.pk}")["ETag"] == '"v1"'
    assert api_client(outsider).head(f"/api/servers/{server.pk}").status_code == 404


def test_another_format_than_json_is_406(admin: User) -> None:
    answer = api_client(admin).get("/api/servers/", headers={"Accept": "text/html"})
    problem(answer, 406, "not_acceptable")


@pytest.mark.parametrize("kind", ["text/xml", "application/x-www-form-urlencoded", "x", "text/csv"])
def test_another_body_than_json_is_415(admin: User, kind: str) -> None:
    answer = api_client(admin).generic("POST", "/api/sites/", "name=x", content_type=kind)
    problem(answer, 415, "unsupported_media_type")


def test_a_body_without_a_length_is_411(admin: User) -> None:
    answer = api_client(admin).generic(
        "POST", "/api/sites/", "", headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH=""
    )
    problem(answer, 411, "length_required")


def test_a_body_of_more_than_a_mebibyte_is_413(admin: User) -> None:
    answer = api_client(admin).post(
        "/api/sites/", b'{"name":"' + b"x" * 1024 * 1024 + b'"}', content_type=JSON
    )
    problem(answer, 413, "too_large")


def test_a_query_of_many_fields_is_400(admin: User) -> None:
    answer = api_client(admin).get("/api/servers/?" + "&".join(["q=1"] * 3000))
    problem(answer, 400, "bad_request")


def test_a_foreign_host_is_400(admin: User) -> None:
    answer = api_client(admin).get("/api/servers/", HTTP_HOST="evil.example")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800", "\\udfff x"])
def test_characters_that_cannot_be_stored_are_422_where_they_stand(admin: User, text: str) -> None:
    client = api_client(admin)
    body = f'{{"name": "{text}"}}'.encode()
    told = problem(client.post("/api/sites/", body, content_type=JSON), 422, "invalid")
    assert list(told["errors"]) == ["name"]
    body = f'{{"name": "x", "custom_fields": {{"{text}": 1}}}}'.encode()
    told = problem(client.post("/api/servers/", body, content_type=JSON), 422, "invalid")
    assert list(told["errors"]) == ["custom_fields"]


def test_a_number_beyond_every_database_is_404_or_422(admin: User) -> None:
    client = api_client(admin)
    huge = 2**63
    for path in (f"/api/servers/{huge}", f"/api/jobs/{huge}", f"/api/sites/{'9' * 5000}"):
        problem(client.get(path), 404, "not_found")
    told = problem(client.get(f"/api/servers/?cluster={huge}&site={'9' * 400}&q=x"), 422, "invalid")
    assert set(told["errors"]) == {"cluster", "site"}
    body = {"name": "x", "place": {"site": huge}, "cluster": -huge, "bmc": {"address": "10.0.0.1"}}
    told = problem(client.post("/api/servers/", body), 422, "invalid")
    assert set(told["errors"]) == {"place.site", "cluster"}


def test_a_name_taken_between_check_and_save_is_409(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_site("fra")
    monkeypatch.setattr("apps.clusters.serializers.SiteBody.validate_name", lambda self, name: name)
    problem(api_client(admin).post("/api/sites/", {"name": "fra"}), 409, "conflict")
    assert Site.objects.count() == 1


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_dead_database_is_503_with_the_time_to_wait(admin: User, kind: type[Exception]) -> None:
    client = api_client(admin)
    client.raise_request_exception = False

    def away(execute: Callable[..., Any], *_: Any) -> None:
        raise kind("server closed the connection unexpectedly")

    with connection.execute_wrapper(away):
        answer = client.get("/api/servers/")
    told = problem(answer, 503, "database_away")
    assert answer["Retry-After"] == "15"
    assert "closed the connection" not in str(told)


def test_our_own_mistake_is_500_in_the_same_form_and_tells_nothing(admin: User) -> None:
    client = api_client(admin)
    client.raise_request_exception = False

    def broken(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if "inventory_server" in sql:
            raise ZeroDivisionError("a secret detail")
        return execute(sql, *args)

    with connection.execute_wrapper(broken):
        answer = client.get("/api/servers/")
    told = problem(answer, 500, "server_error")
    assert "secret detail" not in str(told)


def test_too_many_requests_say_how_long_to_wait() -> None:
    found = problem_of(Throttled(wait=7.4))
    assert found is not None
    assert (found.status, found.code, found.headers["Retry-After"]) == (
        429,
        "too_many_requests",
        "8",
    )


def test_what_only_the_database_refuses_is_422() -> None:
    found = problem_of(DataError("integer out of range"))
    assert found is not None
    assert (found.status, found.code) == (422, "invalid")
    assert problem_of(ZeroDivisionError()) is None
    missing = problem_of(Http404("No Server matches the given query."))
    assert missing is not None
    assert "Server" not in str(missing.document())


def test_a_session_without_the_csrf_token_is_403_that_says_so(admin: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin)
    told = problem(strict.post("/api/sites/", {"name": "x"}, content_type=JSON), 403, "csrf_failed")
    assert "X-CSRFToken" in told["hint"]
    assert not Site.objects.exists()


def test_a_slash_at_the_end_may_be_there_or_not(admin: User, web: Cluster) -> None:
    client = api_client(admin)
    server = make_server(cluster=web)
    for path in (
        "/api/servers",
        f"/api/servers/{server.pk}",
        f"/api/servers/{server.pk}/history",
        "/api/jobs",
        f"/api/clusters/{web.pk}",
        "/api/schema",
    ):
        assert client.get(path).status_code == client.get(f"{path}/").status_code == 200, path
    for path in ("/api/sites", "/api/sites/"):
        assert client.post(path, {"name": path}).status_code == 201
    for path in (f"/api/servers/{server.pk}/power/on", f"/api/servers/{server.pk}/power/on/"):
        assert client.post(path, {}).status_code == 202


def test_words_are_those_of_the_person_and_codes_are_of_nobody(admin: User) -> None:
    client = api_client(admin)
    for language in ("en", "zh-hans"):
        answer = client.get("/api/nope", headers={"Accept-Language": language})
        assert (answer.json()["code"], answer["Content-Language"]) == ("not_found", language)


def test_every_code_has_words() -> None:
    assert all(str(title) and str(hint) for title, hint in WORDS.values())


def test_nested_complaints_become_paths() -> None:
    nested = {"a": ["x"], "b": {"c": ["y"], "non_field_errors": ["z"]}, "d": [{}, {"e": ["w"]}]}
    assert errors_flat(nested) == {"a": ["x"], "b.c": ["y"], "b": ["z"], "d.1.e": ["w"]}
    assert errors_flat(["x"]) == {"body": ["x"]}
