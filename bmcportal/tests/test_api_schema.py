"""The OpenAPI document, its page, and what a fuzzer that read it gets for answers."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db.models import Model
from hypothesis import HealthCheck, Phase
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.accounts.models import ApiToken, User
from apps.accounts.services import api_token_create
from apps.clusters.models import Cluster, Site
from apps.core.testing import api_client, make_profile, make_rack, make_server
from apps.inventory.models import Bmc, CredentialProfile, CustomField, Rack, Server
from apps.jobs.models import Job
from apps.jobs.services import job_create

EXAMPLES = {"admin": 8, "operator": 8, "user": 6, "readonly": 6, "outsider": 6, "nobody": 4}
"""For each role of the cast, and for each operation of the document."""
TAKEN = {"admin": 20, "operator": 20, "user": 5, "readonly": 5, "outsider": 5, "nobody": 0}
"""How many answers must be 200: it came past the door, and some of what it sent was taken."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

BODIES_WITH_SECRETS = ("ProfileBodyRequest", "PatchedProfileBodyRequest", "SignInBodyRequest")

MODELS: dict[str, type[Model]] = {
    "sites": Site,
    "clusters": Cluster,
    "servers": Server,
    "racks": Rack,
    "bmcs": Bmc,
    "profiles": CredentialProfile,
    "jobs": Job,
    "tokens": ApiToken,
}


def test_the_document_is_valid_and_complete(tmp_path: Path) -> None:
    target = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))
    text = target.read_text(encoding="utf-8")
    assert "/api/servers/{id}/power/{action}:" in text
    assert "application/problem+json" in text


@pytest.mark.django_db
def test_secrets_are_in_bodies_and_in_no_answer(admin: User) -> None:
    answer = api_client(admin).get("/api/schema/", headers={"Accept": "application/json"})
    schemas = answer.json()["components"]["schemas"]
    for name, schema in schemas.items():
        has_secret = {"password", "kg"} & set(schema.get("properties", {}))
        assert bool(has_secret) is (name in BODIES_WITH_SECRETS)


@pytest.mark.django_db
def test_the_page_runs_under_the_strict_policy(admin: User) -> None:
    client = api_client(admin)
    answer = client.get("/api/docs/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", page)
    [script] = re.findall(r'src="(/api/docs/[^"]*)"', page)
    loaded = client.get(script)
    assert loaded["Content-Type"].startswith("application/javascript")
    assert "/api/schema/" in loaded.content.decode()
    for path in re.findall(r'(?:src|href)="(/static/[^"]*)"', page):
        file: Any = client.get(path)
        assert (file.status_code, bool(b"".join(file.streaming_content))) == (200, True), path
        file.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
@pytest.mark.parametrize("who", EXAMPLES)
def test_nothing_a_fuzzer_sends_breaks_it_or_is_answered_against_the_document(
    who: str, request: pytest.FixtureRequest, web: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.inventory.addresses.socket.getaddrinfo", _no_name_server)
    admin: User = request.getfixturevalue("admin")
    _furnish(admin, web)
    reader = {"Authorization": f"Token {api_token_create(user=admin, days=1)}"}
    schema = schemathesis.openapi.from_wsgi(
        "/api/schema/", app=get_wsgi_application(), headers=reader
    )
    headers = {}
    if who != "nobody":
        token = api_token_create(user=request.getfixturevalue(who), days=1)
        headers = {"Authorization": f"Token {token}"}
    seen: Counter[int] = Counter()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        cases = found.ok().as_strategy()

        @hypothesis.settings(
            max_examples=EXAMPLES[who],
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=cases)
        def fuzz(case: Any) -> None:
            if "id" in (case.path_parameters or {}) and case.method != "DELETE":
                there = _ids(case.path)
                case.path_parameters["id"] = there[case.path_parameters["id"] % len(there)]
            response = case.call(headers=headers)
            seen[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        fuzz()
    assert sum(seen.values()) >= 60
    assert seen[200] >= TAKEN[who], seen
    if who == "nobody":
        assert set(seen) <= {400, 401, 404, 422, 429}, seen
    elif who in ("admin", "operator"):
        assert {202, 404, 422} <= set(seen), seen
    else:
        assert {403, 404} <= set(seen), seen


def _no_name_server(*_: object, **__: object) -> None:
    raise OSError


def _ids(path: str) -> list[int]:
    """Return ids of what a path is about, and one of nothing."""
    noun = path.removeprefix("/api/").split("/")[0]
    return [*MODELS[noun]._base_manager.values_list("pk", flat=True)[:3], 2**40]


def _furnish(actor: User, web: Cluster) -> None:
    """Put something behind the first ids."""
    CustomField.objects.create(key="owner", label="Owner")
    servers = [
        make_server(cluster=web, profile=make_profile(), rack=make_rack(), rack_unit=1)
        for _ in range(3)
    ]
    job_create(kind="power", params={"action": "off"}, targets=servers, actor=actor)
