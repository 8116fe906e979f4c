"""Tokens of an installation from before they had names go on working."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone
from knox.models import get_digest_token
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken
from apps.clusters.choices import Role
from apps.core.testing import make_user

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("accounts", "0002_people_and_policy"), ("knox", "0009_extend_authtoken_field")]


@pytest.fixture
def back() -> Any:
    """Go back to the tables of before; whatever happens, forward again."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    yield MigrationExecutor(connection).loader.project_state(BEFORE).apps
    call_command("migrate", verbosity=0)


def test_an_old_token_works_and_old_sessions_are_over(back: Any) -> None:
    people = back.get_model("accounts", "User")
    anna = people.objects.create(username="anna")
    admin = back.get_model("clusters", "RoleGrant").objects.create(user_id=anna.pk, role="admin")
    old_tokens = back.get_model("knox", "AuthToken")
    digest, secret = get_digest_token()
    born = timezone.now() - dt.timedelta(days=3)
    ends = born + dt.timedelta(days=30)
    old_tokens.objects.create(user_id=anna.pk, digest=digest, token_key=secret[:15], expiry=ends)
    old_tokens.objects.update(created=born)
    digest, endless = get_digest_token()
    old_tokens.objects.create(user_id=anna.pk, digest=digest, token_key=endless[:15], expiry=None)
    Session.objects.create(session_key="k" * 32, session_data="x", expire_date=ends)
    assert admin.pk

    call_command("migrate", verbosity=0)

    first, second = ApiToken.objects.order_by("created")
    assert (first.created, first.expiry, first.role_ceiling) == (born, ends, Role.ADMIN)
    assert first.name
    assert second.expiry <= timezone.now() + dt.timedelta(days=366)
    for token in (secret, endless):
        client = APIClient(headers={"Authorization": f"Token {token}"})
        assert client.post("/api/sites/", {"name": token[:8]}).status_code == 201
    assert not Session.objects.exists()
    assert "knox_authtoken" not in connection.introspection.table_names()


def test_back_and_forth_keeps_what_has_a_place_there() -> None:
    anna = make_user("anna")
    digests = {}
    for role in (Role.ADMIN, Role.READONLY):
        digests[role] = get_digest_token()[0]
        ApiToken.objects.create(
            user=anna,
            digest=digests[role],
            token_key="k",
            name="n",
            role_ceiling=role,
            expiry=timezone.now() + dt.timedelta(days=1),
        )
    try:
        MigrationExecutor(connection).migrate(BEFORE)
    finally:
        call_command("migrate", verbosity=0)
    assert [token.digest for token in ApiToken.objects.all()] == [digests[Role.ADMIN]]
    assert Client().get("/api/tokens/").status_code == 401
