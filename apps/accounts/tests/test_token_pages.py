"""A person's own API tokens: pages, REST, and what a token may do with tokens."""

from __future__ import annotations

import datetime as dt
import re
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken, User
from apps.accounts.services import api_token_create, tokens_revoke
from apps.accounts.services.tokens import MOST_LIVE, api_token_revoke
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.testing import api_client

pytestmark = pytest.mark.django_db

PAGE = "/account/tokens"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def script(secret: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Token {secret}"})


def make(client: Client, **facts: Any) -> Any:
    return client.post(f"{PAGE}/add", {"name": "nightly", "role": "user", "days": 7, **facts})


# ---------------------------------------------------------------- pages


def test_the_secret_is_shown_once_and_works_up_to_its_role(page: Client, operator: User) -> None:
    assert "No tokens yet" in page.get(PAGE).content.decode()

    answer = make(page)

    found = re.search(r'id="token-secret" value="([0-9a-f]{64})"', answer.content.decode())
    assert found is not None
    assert "no-store" in answer["Cache-Control"]
    kept = ApiToken.objects.get()
    assert (kept.name, kept.role_ceiling, kept.user) == ("nightly", Role.USER, operator)
    assert dt.timedelta(days=6) < kept.expiry - timezone.now() <= dt.timedelta(days=7)
    assert found[1] not in str(vars(kept))
    assert found[1] not in page.get(PAGE).content.decode()
    assert found[1] not in str(list(AuditEntry.objects.values_list()))
    assert script(found[1]).get("/api/clusters/").json()["count"] == 1


def test_the_form_proposes_the_least(page: Client) -> None:
    text = page.get(f"{PAGE}/add").content.decode()
    assert '<option value="readonly" selected>' in text
    assert 'value="operator"' in text
    assert 'value="admin"' not in text


@pytest.mark.parametrize(
    "facts",
    [
        {"name": ""}, {"name": "x" * 65}, {"name": "a\u202eb"}, {"role": "admin"}, {"role": "root"},
        {"role": ""}, {"days": 0}, {"days": 367}, {"days": "x"}, {"days": "9" * 400},
    ],
)  # fmt: skip
def test_what_makes_no_token(page: Client, facts: dict[str, Any]) -> None:
    assert make(page, **facts).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not ApiToken.objects.exists()


def test_there_are_at_most_so_many(page: Client, operator: User) -> None:
    for _ in range(MOST_LIVE):
        api_token_create(user=operator, days=1)
    answer = make(page)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Revoke one first" in answer.content.decode()
    assert "which is the most" in page.get(PAGE).content.decode()
    ApiToken.objects.filter(pk=ApiToken.objects.latest("pk").pk).update(expiry=timezone.now())
    assert make(page).status_code == HTTPStatus.OK


def test_expired_ones_are_listed_for_a_while(page: Client, operator: User) -> None:
    api_token_create(user=operator, days=1, name="short")
    later = timezone.now() + dt.timedelta(days=2)
    with time_machine.travel(later):
        page.force_login(operator)
        text = page.get(PAGE).content.decode()
        assert "short" in text
        assert "Expired" in text
    with time_machine.travel(later + dt.timedelta(days=30)):
        page.force_login(operator)
        make(page)
        assert [token.name for token in ApiToken.objects.all()] == ["nightly"]


def test_a_token_is_revoked_after_a_question(page: Client, operator: User) -> None:
    secret = api_token_create(user=operator, days=1, name="old")
    token = ApiToken.objects.get()
    asked = page.get(f"{PAGE}/{token.pk}/revoke")
    assert "Revoke old?" in asked.content.decode()
    dialog = page.get(f"{PAGE}/{token.pk}/revoke", headers={"HX-Request": "true"})
    assert dialog.content.decode().lstrip().startswith("<dialog")
    assert script(secret).get("/api/clusters/").status_code == 200

    answer = page.post(f"{PAGE}/{token.pk}/revoke")

    assert (answer.status_code, answer["Location"]) == (HTTPStatus.SEE_OTHER, PAGE)
    assert script(secret).get("/api/clusters/").status_code == 401
    entry = AuditEntry.objects.get(action="accounts.api_token.revoke")
    assert (entry.actor, entry.before) == (operator, {"names": ["old"]})
    assert page.post(f"{PAGE}/{token.pk}/revoke").status_code == HTTPStatus.NOT_FOUND


def test_tokens_of_others_are_not_there(page: Client, admin: User, operator: User) -> None:
    api_token_create(user=admin, days=1, name="hers")
    token = ApiToken.objects.get()
    assert "hers" not in page.get(PAGE).content.decode()
    for call in (page.get, page.post):
        assert call(f"{PAGE}/{token.pk}/revoke").status_code == HTTPStatus.NOT_FOUND
    assert api_client(operator).delete(f"/api/tokens/{token.pk}").status_code == 404
    assert ApiToken.objects.exists()


def test_pages_need_the_csrf_token(operator: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(operator)
    assert make(strict).status_code == HTTPStatus.FORBIDDEN
    assert not ApiToken.objects.exists()


def test_the_list_costs_the_same_however_long_it_is(
    page: Client, operator: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        api_token_create(user=operator, days=1, name="n")
    with django_assert_max_num_queries(6):
        page.get(PAGE)


# ---------------------------------------------------------------- what admins do


def test_admins_revoke_what_somebody_has(admin: User, operator: User, readonly: User) -> None:
    secrets = [api_token_create(user=operator, days=1, name=name) for name in ("a", "b")]
    kept = api_token_create(user=readonly, days=1)
    with pytest.raises(PermissionDenied):
        tokens_revoke(actor=readonly, user=operator)

    assert tokens_revoke(actor=admin, user=operator) == 2

    answers = [script(one).get("/api/clusters/").status_code for one in (*secrets, kept)]
    assert answers == [401, 401, 200]
    assert AuditEntry.objects.get(action="accounts.api_token.revoke").before == {
        "names": ["a", "b"]
    }
    assert tokens_revoke(actor=admin, user=operator) == 0
    token = ApiToken.objects.get()
    with pytest.raises(PermissionDenied):
        api_token_revoke(actor=operator, token=token)
    admin.role_ceiling = Role.ADMIN
    with pytest.raises(PermissionDenied):
        tokens_revoke(actor=admin, user=readonly)


# ---------------------------------------------------------------- REST


def test_over_rest_the_secret_is_in_one_answer(operator: User) -> None:
    client = api_client(operator)
    answer = client.post("/api/tokens/", {"name": "n", "role": "user", "days": 3})
    told = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert answer["Location"].endswith(f"/api/tokens/{told['id']}")
    secret = told.pop("token")
    assert (told["role"], told["is_live"], told["last_used_at"]) == ("user", True, None)
    assert client.get(f"/api/tokens/{told['id']}").json() == told
    assert secret not in client.get("/api/tokens/").content.decode()
    assert script(secret).get("/api/tokens/").json()["count"] == 1
    assert client.delete(f"/api/tokens/{told['id']}").status_code == 204
    assert script(secret).get("/api/tokens/").status_code == 401


def test_over_rest_the_least_is_the_default_and_no_key_repeats_it(operator: User) -> None:
    client = api_client(operator)
    answers = [
        client.post("/api/tokens/", {"name": "n"}, headers={"Idempotency-Key": "k"}).json()
        for _ in range(2)
    ]
    assert answers[0]["role"] == "readonly"
    assert answers[0]["token"] != answers[1]["token"]


def test_a_token_makes_no_token_that_does_or_lives_more(admin: User) -> None:
    client = script(api_token_create(user=admin, days=10, role=Role.USER))

    def ask(**facts: Any) -> Any:
        return client.post("/api/tokens/", {"name": "n", "days": 9, **facts})

    assert ask(role="user").status_code == ask(role="readonly").status_code == 201
    refused = ask(role="operator")
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["role"])
    refused = ask(role="user", days=11)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["days"])
    child = script(ask(role="user").json()["token"])
    assert child.post("/api/tokens/", {"name": "n", "role": "admin"}).status_code == 422


def test_a_token_revokes_none_that_may_do_more(admin: User) -> None:
    api_token_create(user=admin, days=1, role=Role.ADMIN)
    strong = ApiToken.objects.get()
    client = script(api_token_create(user=admin, days=1, role=Role.USER))
    weak = ApiToken.objects.latest("pk")
    assert client.delete(f"/api/tokens/{strong.pk}").status_code == 403
    assert client.delete(f"/api/tokens/{weak.pk}").status_code == 204
    assert ApiToken.objects.get() == strong


def test_a_ceiling_holds_and_a_grant_that_is_taken_takes_it_from_the_token(
    admin: User, operator: User
) -> None:
    weak = script(api_token_create(user=admin, days=1, role=Role.USER))
    assert weak.post("/api/sites/", {"name": "a"}).status_code == 403
    strong = script(api_token_create(user=operator, days=1, role=Role.ADMIN))
    assert strong.post("/api/sites/", {"name": "a"}).status_code == 403
    assert strong.get("/api/clusters/").json()["count"] == 1
    RoleGrant.objects.filter(user=operator).delete()
    assert strong.get("/api/clusters/").json()["count"] == 0


def test_when_and_from_where_it_was_used_is_written_once_a_minute(
    operator: User, django_assert_max_num_queries: Any
) -> None:
    secret = api_token_create(user=operator, days=9)
    start = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with time_machine.travel(start, tick=False) as clock:
        script(secret).get("/api/clusters/", REMOTE_ADDR="10.1.1.1")
        clock.shift(59)
        with django_assert_max_num_queries(5) as told:
            script(secret).get("/api/clusters/", REMOTE_ADDR="10.2.2.2")
        assert not [one for one in told.captured_queries if "UPDATE" in one["sql"]]
        kept = ApiToken.objects.get()
        assert (kept.last_used_at, kept.last_used_from) == (start, "10.1.1.1")
        clock.shift(1)
        script(secret).get("/api/clusters/", REMOTE_ADDR="not an address")
        kept.refresh_from_db()
        assert kept.last_used_at == start + dt.timedelta(seconds=60)
        assert kept.last_used_from is None
