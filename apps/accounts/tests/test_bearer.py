"""The door for scripts: two tokens, exchanged once, and nothing that only looks like them."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import time
import uuid
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import ScriptSession, User
from apps.accounts.services import access_end, bearer
from apps.accounts.tests.second_factor import app_add, app_code, policy_asks
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.testing import PASSWORD

pytestmark = pytest.mark.django_db


def sign_in(name: str = "operator", password: str = PASSWORD, **more: Any) -> Any:
    body = {"username": name, "password": password, **more}
    return APIClient().post("/api/auth/token", body, format="json")


def refresh(token: str) -> Any:
    return APIClient().post("/api/auth/token/refresh", {"refresh_token": token}, format="json")


def ask(token: str, path: str = "/api/clusters/") -> Any:
    return APIClient().get(path, HTTP_AUTHORIZATION=f"Bearer {token}")


def code_of(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_name_and_password_give_two_tokens_that_no_cache_keeps(operator: User) -> None:
    answer = sign_in()

    told = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 300)
    assert "sessionid" not in answer.cookies
    assert [row["name"] for row in ask(told["access_token"]).json()["results"]] == ["web"]
    entry = AuditEntry.objects.get(action="accounts.script_session.create")
    assert entry.actor == operator
    assert told["refresh_token"] not in str(vars(ScriptSession.objects.get()))


def test_it_has_the_roles_of_its_person_and_needs_no_csrf(admin: User, operator: User) -> None:
    def post(name: str) -> int:
        header = f"Bearer {sign_in(name).json()['access_token']}"
        client = APIClient(enforce_csrf_checks=True, headers={"Authorization": header})
        return client.post("/api/sites/", {"name": name}).status_code

    assert (post("operator"), post("admin")) == (403, 201)


@pytest.mark.parametrize(
    ("name", "password"), [("operator", "not hers"), ("nobody", PASSWORD), ("operator", "x" * 4096)]
)
def test_one_sentence_for_every_wrong_pair(operator: User, name: str, password: str) -> None:
    answer = sign_in(name, password)
    assert code_of(answer) == (401, "wrong_credentials")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert password not in answer.content.decode()


def test_a_disabled_person_looks_like_a_wrong_password(operator: User) -> None:
    User.objects.update(is_active=False)
    assert code_of(sign_in()) == (401, "wrong_credentials")


@pytest.mark.parametrize(
    "body",
    [
        {}, [], {"username": "a"}, {"username": 1, "password": 2},
        {"username": "a", "password": ""},
        {"username": "a", "password": "b", "more": 1}, {"username": "a", "password": "x" * 5000},
        {"username": "a", "password": ["b"]}, {"username": "a", "password": "b", "code": 123456},
    ],
)  # fmt: skip
def test_what_is_no_sign_in_is_refused_before_anything_is_checked(body: Any) -> None:
    assert code_of(APIClient().post("/api/auth/token", body, format="json")) == (422, "invalid")


def test_ten_wrong_tries_pause_this_door_too(operator: User) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(password="wrong")
    assert code_of(answer) == (429, "locked_out")
    assert 0 < int(answer["Retry-After"]) <= 900
    assert code_of(sign_in()) == (429, "locked_out")


@pytest.mark.parametrize("path", ["token", "token/refresh", "token/revoke"])
def test_one_address_comes_so_often_and_not_oftener(
    path: str, operator: User, settings: Any
) -> None:
    settings.RATES = {**settings.RATES, "token": (3, 300)}

    def knock(address: str) -> Any:
        return APIClient(REMOTE_ADDR=address).post(f"/api/auth/{path}", {}, format="json")

    assert [knock("10.1.1.1").status_code for _ in range(4)] == [422, 422, 422, 429]
    assert code_of(knock("10.1.1.1")) == (429, "too_many_requests")
    assert int(knock("10.1.1.1")["Retry-After"]) > 0
    assert knock("10.1.1.2").status_code == 422


def test_who_has_a_second_factor_sends_its_code_which_works_once(operator: User) -> None:
    app_add(operator)
    assert code_of(sign_in()) == (401, "second_factor_code_needed")
    assert code_of(sign_in(code=None)) == (401, "second_factor_code_needed")
    assert code_of(sign_in(code="000")) == (401, "second_factor_code_wrong")
    code = app_code()
    assert sign_in(code=code).status_code == 200
    assert code_of(sign_in(code=code)) == (401, "second_factor_code_wrong")


def test_who_needs_a_second_factor_and_has_none_stays_outside(operator: User) -> None:
    token = sign_in().json()["access_token"]
    policy_asks(Role.OPERATOR)
    assert code_of(sign_in()) == (403, "second_factor_missing")
    # The policy reaches who is inside, too.
    assert code_of(ask(token)) == (403, "second_factor_missing")


def test_who_has_to_change_the_password_does_that_first(operator: User) -> None:
    token = sign_in().json()["access_token"]
    User.objects.update(must_change_password=True)
    assert code_of(sign_in()) == (403, "password_change_needed")
    assert code_of(ask(token)) == (403, "password_change_needed")


# ---------------------------------------------------------------- refresh


def test_a_refresh_token_is_exchanged_for_the_next_two(operator: User) -> None:
    first = sign_in().json()
    second = refresh(first["refresh_token"])
    assert (second.status_code, second["Cache-Control"]) == (200, "no-store")
    assert ask(second.json()["access_token"]).status_code == 200
    assert refresh(second.json()["refresh_token"]).status_code == 200
    assert ScriptSession.objects.count() == 1


def test_a_refresh_token_that_comes_again_ends_everything_of_its_sign_in(operator: User) -> None:
    other = sign_in().json()
    first = sign_in().json()
    second = refresh(first["refresh_token"]).json()

    assert code_of(refresh(first["refresh_token"])) == (401, "token_refused")

    assert code_of(refresh(second["refresh_token"])) == (401, "token_refused")
    assert ask(first["access_token"]).status_code == 401
    assert ask(second["access_token"]).status_code == 401
    assert ask(other["access_token"]).status_code == 200
    assert AuditEntry.objects.filter(action="accounts.script_session.reuse").count() == 1


def test_revoked_is_revoked_also_with_a_token_that_was_exchanged(operator: User) -> None:
    first = sign_in().json()
    second = refresh(first["refresh_token"]).json()
    body = {"refresh_token": first["refresh_token"]}

    assert APIClient().post("/api/auth/token/revoke", body, format="json").status_code == 204

    assert ask(second["access_token"]).status_code == 401
    assert code_of(refresh(second["refresh_token"])) == (401, "token_refused")
    answer = APIClient().post("/api/auth/token/revoke", body, format="json")
    assert code_of(answer) == (401, "token_refused")


def test_tokens_end_in_their_time_and_the_session_in_its_own(operator: User) -> None:
    start = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=False) as clock:
        pair = sign_in().json()
        clock.shift(bearer.ACCESS_SECONDS - 1)
        assert ask(pair["access_token"]).status_code == 200
        clock.shift(2)
        assert code_of(ask(pair["access_token"])) == (401, "token_refused")
        for _ in range(7):
            clock.shift(bearer.REFRESH_SECONDS - 600)
            answer = refresh(pair["refresh_token"])
            assert answer.status_code == 200
            pair = answer.json()
        session = ScriptSession.objects.get()
        clock.move_to(session.expires_at - dt.timedelta(seconds=100))
        last = refresh(pair["refresh_token"]).json()
        assert (last["expires_in"], last["refresh_expires_in"]) == (100, 100)
        assert session.expires_at == start + dt.timedelta(seconds=bearer.SESSION_SECONDS)
        clock.shift(101)
        assert code_of(refresh(last["refresh_token"])) == (401, "token_refused")
        assert code_of(ask(last["access_token"])) == (401, "token_refused")


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(operator: User) -> None:
    pair = sign_in().json()
    assert code_of(ask(pair["refresh_token"])) == (401, "token_refused")
    assert code_of(refresh(pair["access_token"])) == (401, "token_refused")
    assert ask(pair["access_token"]).status_code == 200


def test_the_oldest_of_too_many_sessions_ends(
    operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "MOST_LIVE", 3)
    pairs = [bearer.script_session_start(user=operator, address=None) for _ in range(4)]
    assert [ask(pair.access).status_code for pair in pairs] == [401, 200, 200, 200]


# ---------------------------------------------------------------- what ends it


def test_whoever_is_disabled_or_gets_a_new_password_is_outside_at_the_next_request(
    operator: User, admin: User
) -> None:
    token, refreshed = (sign_in().json()[name] for name in ("access_token", "refresh_token"))
    User.objects.filter(pk=operator.pk).update(is_active=False)
    assert code_of(ask(token)) == (401, "token_refused")
    User.objects.filter(pk=operator.pk).update(is_active=True)
    assert ask(token).status_code == 200

    operator.set_password("another long passphrase")
    operator.save()
    assert code_of(ask(token)) == (401, "token_refused")
    assert code_of(refresh(refreshed)) == (401, "token_refused")


def test_the_end_of_access_and_of_a_grant_hold_at_once(operator: User) -> None:
    token = sign_in().json()["access_token"]
    RoleGrant.objects.filter(user=operator).delete()
    assert ask(token).json()["count"] == 0
    access_end(user=operator)
    assert code_of(ask(token)) == (401, "token_refused")


def test_it_is_a_cookie_of_nobody(operator: User) -> None:
    pair = sign_in().json()
    kept = ScriptSession.objects.get()
    for word in (pair["access_token"], str(kept.key), str(kept.refresh_key), kept.key.hex):
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = word
        assert client.get("/api/clusters/").status_code == 401


# ---------------------------------------------------------------- what only looks like one


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: Any) -> str:
    return f"{coded(json.dumps(header).encode())}.{coded(json.dumps(claims).encode())}."


def signed(claims: Any, key: bytes, says: str = "HS256", digest: str = "sha256") -> str:
    """Sign as the standard says, and put any name of an algorithm above it."""
    text = unsigned({"typ": "JWT", "alg": says}, claims)[:-1]
    return f"{text}.{coded(hmac.digest(key, text.encode(), digest))}"


def test_forged_tokens_are_refused(operator: User) -> None:
    good = sign_in().json()["access_token"]
    claims, key = claims_of(good), bearer._key()
    head, body, mark = good.split(".")
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = rsa_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    forged = {
        "no algorithm": unsigned({"alg": "none", "typ": "JWT"}, claims),
        "no algorithm, old mark": unsigned({"alg": "none"}, claims) + mark,
        "no algorithm, other case": unsigned({"alg": "nOnE"}, claims),
        "another algorithm, our key": signed(claims, key, "HS384", "sha384"),
        "another family, another key": jwt.encode(claims, pem, algorithm="RS256"),
        "says RS256, signed by our key": signed(claims, key, "RS256"),
        "the site's own secret": signed(claims, settings.SECRET_KEY.encode()),
        "an empty key": signed(claims, b""),
        "another person": signed(claims | {"sub": str(operator.pk + 1)}, key),
        "a person as a number": signed(claims | {"sub": "x"}, key),
        "another issuer": signed(claims | {"iss": "elsewhere"}, key),
        "another use": signed(claims | {"use": "session"}, key),
        "no use": signed({k: v for k, v in claims.items() if k != "use"}, key),
        "no end": signed({k: v for k, v in claims.items() if k != "exp"}, key),
        "over": signed(claims | {"exp": int(time.time()) - 1}, key),
        "another session": signed(claims | {"sid": str(uuid.uuid4())}, key),
        "no session's name": signed(claims | {"sid": "../../x"}, key),
        "a list as session": signed(claims | {"sid": [1]}, key),
        "claims of another": f"{head}.{unsigned({}, claims | {'sub': '1'}).split('.')[1]}.{mark}",
        "cut off": good[:-1],
        "two parts": f"{head}.{body}",
        "huge": "x" * 100_000,
        "huge, in parts": f"{head}.{'A' * 100_000}.{mark}",
        "deep": base64.urlsafe_b64encode(b"[" * 1000).decode() + "..",
        "no text": "\xff\xfe",
        "nothing": "",
        "two": f"{good} {good}",
    }
    for name, token in forged.items():
        assert code_of(ask(token)) == (401, "token_refused"), name
    assert ask(signed(claims, key)).status_code == 200, "the same by hand is good"


@pytest.mark.parametrize("token", ["", "x", "x" * 3000, 1, None, ["a"], "a.b.c"])
def test_no_refresh_token_is_refused(token: Any) -> None:
    assert code_of(refresh(token))[0] in (401, 422)


def test_when_it_was_last_seen_is_written_once_a_minute(
    operator: User, django_assert_max_num_queries: Any
) -> None:
    start = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=False) as clock:
        token = sign_in().json()["access_token"]
        clock.shift(59)
        ask(token)
        assert ScriptSession.objects.get().last_seen_at == start
        clock.shift(1)
        ask(token)
        assert ScriptSession.objects.get().last_seen_at == start + dt.timedelta(seconds=60)
        clock.shift(1)
        with django_assert_max_num_queries(5) as told:
            ask(token)
        assert not [query for query in told.captured_queries if "UPDATE" in query["sql"]]
