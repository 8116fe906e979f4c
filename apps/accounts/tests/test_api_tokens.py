from __future__ import annotations

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken, User
from apps.accounts.services import api_token_create
from apps.audit.models import AuditEntry
from apps.clusters.models import Site

pytestmark = pytest.mark.django_db


def command(*args: str) -> str:
    out = StringIO()
    call_command("api_token", *args, stdout=out)
    return out.getvalue().strip()


def ask(token: str, path: str = "/api/clusters/") -> Any:
    return APIClient(headers={"Authorization": f"Token {token}"}).get(path)


def test_the_command_prints_a_token_that_works_and_keeps_only_a_hash(operator: User) -> None:
    token = command("operator", "--days", "7", "--name", "nightly reboot")

    answer = ask(token)
    assert (answer.status_code, answer.json()["results"][0]["name"]) == (200, "web")
    kept = ApiToken.objects.get()
    assert kept.user == operator
    assert token not in str(vars(kept))
    assert dt.timedelta(days=6) < kept.expiry - timezone.now() <= dt.timedelta(days=7)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_name) == ("accounts.api_token.create", "operator")
    assert (entry.after or {})["name"] == "nightly reboot"
    assert token not in f"{entry.before} {entry.after} {entry.reason}"


def test_a_token_has_the_roles_of_its_person_and_needs_no_csrf(operator: User, admin: User) -> None:
    def post(user: User, name: str) -> int:
        token = api_token_create(user=user, days=1)
        client = APIClient(enforce_csrf_checks=True, headers={"Authorization": f"Token {token}"})
        return client.post("/api/sites/", {"name": name}).status_code

    assert (post(operator, "a"), post(admin, "b")) == (403, 201)
    assert list(Site.objects.values_list("name", flat=True)) == ["b"]


def test_a_disabled_persons_token_stops_at_once(operator: User) -> None:
    token = api_token_create(user=operator, days=1)
    assert ask(token).status_code == 200
    operator.is_active = False
    operator.save()
    answer = ask(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")


def test_an_expired_token_is_refused(operator: User) -> None:
    token = api_token_create(user=operator, days=1)
    ApiToken.objects.update(expiry=timezone.now() - dt.timedelta(seconds=1))
    assert ask(token).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token a b",
        "Token " + "x" * 100_000,
        "Token \xff\xfe",
        "Token a\0b",
        "Token ' OR 1=1 --",
        "Token \xe4\xbb\xa4\xe7\x89\x8c",
    ],
)
def test_other_bytes_are_no_token(operator: User, header: str) -> None:
    api_token_create(user=operator, days=1)
    answer = APIClient().get("/api/clusters/", HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")
    assert answer["WWW-Authenticate"] == "Token"


def test_another_scheme_is_nobody(operator: User) -> None:
    answer = APIClient().get("/api/clusters/", HTTP_AUTHORIZATION="Basic abc")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    "args",
    [
        ("nobody",),
        ("operator", "--days", "0"),
        ("operator", "--days", "367"),
        ("operator", "--name", "x" * 65),
        ("operator", "--name", "a\nb"),
    ],
)
def test_what_makes_no_token(operator: User, args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*args)
    assert not ApiToken.objects.exists()


def test_a_disabled_person_gets_none(operator: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="Nobody"):
        command("operator")
    with pytest.raises(ValueError, match="days"):
        api_token_create(user=operator, days=0)
