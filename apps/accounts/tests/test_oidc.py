"""Sign-in with another service: a small OpenID Connect provider on loopback, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as live_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.tests.second_factor import app_add, app_code, policy_asks
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.core.testing import make_user
from bmcportal.oidc import oidc_app, oidc_from_environment, origin_of

pytestmark = pytest.mark.django_db
SECRET = "the-secret-of-the-portal-there"


class Service:
    """What the other service says; `facts` are about who signs in there."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {
            "sub": "77", "email": "Anna@example.org", "email_verified": True,
        }  # fmt: skip
        self.signed: dict[str, Any] = {"sub": "77"}
        self.garbage = ""
        self.asked: list[dict[str, list[str]]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> dict[str, Any]:
        if path == "/token":
            claims = {"iss": self.url, "aud": "portal", "exp": 9_999_999_999} | self.signed
            token = jwt.encode(claims, "k" * 32, algorithm="HS256")
            return {"access_token": "opens-facts", "token_type": "Bearer", "id_token": token}
        if path == "/facts":
            return self.facts
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/sign-in",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/facts",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def _handler(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805  the class below has a self
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802  their name
                body = service.garbage or json.dumps(service.answer(urlsplit(self.path).path))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            def do_POST(self) -> None:  # noqa: N802  their name
                sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
                service.asked.append(parse_qs(sent))
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def service(settings: Any) -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    app = oidc_app(service.url, "portal", SECRET, "Staff login")
    settings.OIDC_NAME = app["name"]
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    yield service
    service.server.shutdown()
    service.server.server_close()
    thread.join(5)


@pytest.fixture
def anna() -> User:
    return make_user("anna", Role.ADMIN, email="anna@example.org")


def go_there(client: Client, **more: str) -> dict[str, list[str]]:
    """Press the button; return what the other service is asked."""
    answer = client.post(reverse("openid_connect_login", args=[]), more)
    assert answer.status_code == HTTPStatus.FOUND
    return parse_qs(urlsplit(answer["Location"]).query)


def come_back(client: Client, state: str, **more: str) -> Any:
    url = reverse("openid_connect_callback", args=[])
    return client.get(url, {"state": state, "code": "from-there"} | more)


def sign_in(client: Client, **more: str) -> Any:
    return come_back(client, go_there(client, **more)["state"][0])


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_verified_address_opens_the_account_that_has_it(
    client: Client, service: Service, anna: User
) -> None:
    page = client.get(reverse("accounts:sign_in")).content.decode()
    assert "Sign in with Staff login" in page
    asked = go_there(client, next="/servers/?q=web")
    assert asked["redirect_uri"] == ["http://testserver/account/oidc/callback"]
    assert asked["code_challenge_method"] == ["S256"]

    answer = come_back(client, asked["state"][0])

    assert answer["Location"] == "/servers/?q=web"
    assert client.session["_auth_user_id"] == str(anna.pk)
    [sent] = service.asked
    assert sent["client_secret"] == [SECRET]
    assert sent["code_verifier"]
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "accounts.oidc.link", "accounts.sign_in",
    ]  # fmt: skip
    assert AuditEntry.objects.get(action="accounts.sign_in").after == {"proofs": ["oidc"]}
    kept = json.dumps(dict(client.session.items()))
    assert "opens-facts" not in kept
    assert SECRET not in kept


def test_once_linked_the_number_there_counts_and_the_address_no_more(
    client: Client, service: Service, anna: User
) -> None:
    sign_in(client)
    service.facts["email"] = "married@example.org"
    again = Client()

    sign_in(again)

    assert again.session["_auth_user_id"] == str(anna.pk)
    assert SocialAccount.objects.get().extra_data == {}


@pytest.mark.parametrize(
    "facts",
    [
        {"email": "nobody@example.org"}, {"email_verified": False}, {"email_verified": "false"},
        {"email_verified": "true"}, {"email_verified": 1}, {"email": ""}, {"email": ["x"]},
        {"sub": "78"}, {"sub": ""}, {"sub": None},
    ],
)  # fmt: skip
def test_nobody_else_comes_in_and_no_account_is_made(
    client: Client, service: Service, anna: User, facts: dict[str, Any]
) -> None:
    service.facts |= facts

    answer = sign_in(client)

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert 'role="alert"' in answer.content.decode()
    assert not is_in(client)
    assert User.objects.count() == 1
    assert not SocialAccount.objects.exists()


def test_an_address_of_two_people_or_of_somebody_switched_off_opens_nothing(
    client: Client, service: Service, anna: User
) -> None:
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert sign_in(client).status_code == HTTPStatus.FORBIDDEN
    User.objects.filter(pk=anna.pk).update(is_active=True)
    make_user("second", email="ANNA@example.org")
    assert sign_in(client).status_code == HTTPStatus.FORBIDDEN
    assert not is_in(client)


def test_a_linked_account_that_is_switched_off_stays_closed(
    client: Client, service: Service, anna: User
) -> None:
    sign_in(client)
    User.objects.filter(pk=anna.pk).update(is_active=False)

    assert sign_in(Client()).status_code == HTTPStatus.FORBIDDEN


def test_another_number_with_the_same_address_does_not_take_the_account_over(
    client: Client, service: Service, anna: User
) -> None:
    sign_in(client)
    service.facts["sub"] = service.signed["sub"] = "78"

    assert sign_in(Client()).status_code == HTTPStatus.FORBIDDEN
    assert SocialAccount.objects.get().uid == "77"


@pytest.mark.parametrize(
    "signed", [{"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}, {"sub": "other"}]
)
def test_a_token_for_somebody_else_opens_nothing(
    client: Client, service: Service, anna: User, signed: dict[str, Any]
) -> None:
    service.signed |= signed

    assert sign_in(client).status_code == HTTPStatus.FORBIDDEN
    assert not is_in(client)


def test_a_state_that_was_not_given_out_or_was_used_opens_nothing(
    client: Client, service: Service, anna: User
) -> None:
    state = go_there(client)["state"][0]
    assert come_back(client, "forged").status_code == HTTPStatus.FORBIDDEN
    assert come_back(Client(), state).status_code == HTTPStatus.FORBIDDEN
    assert come_back(client, state, error="access_denied").status_code == HTTPStatus.FORBIDDEN
    assert come_back(client, state).status_code == HTTPStatus.FORBIDDEN
    assert not is_in(client)


@pytest.mark.parametrize("garbage", ["<html>", "[]", "{}", "null", '"x"'])
def test_answers_that_make_no_sense_are_said_so(
    client: Client, service: Service, anna: User, garbage: str
) -> None:
    state = go_there(client)["state"][0]
    service.garbage = garbage

    assert client.post(reverse("openid_connect_login")).status_code == HTTPStatus.FORBIDDEN
    assert come_back(client, state).status_code == HTTPStatus.FORBIDDEN
    assert not is_in(client)


def test_the_second_factor_is_asked_for_all_the_same(
    client: Client, service: Service, anna: User
) -> None:
    app_add(anna)

    assert sign_in(client)["Location"] == reverse("accounts:second_factor")
    assert not is_in(client)
    client.post(reverse("accounts:second_factor"), {"code": app_code()})
    assert is_in(client)


def test_the_policy_holds_for_people_from_there(
    client: Client, service: Service, anna: User
) -> None:
    policy_asks(Role.ADMIN)

    sign_in(client)

    answer = client.get(reverse("inventory:server_list"))
    assert answer["Location"] == reverse("accounts:security")


def test_it_needs_a_post_and_leads_to_no_other_site(
    client: Client, service: Service, anna: User
) -> None:
    url = reverse("openid_connect_login")
    assert client.get(url).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(url).status_code == HTTPStatus.FORBIDDEN
    assert sign_in(client, next="https://evil.example/")["Location"] == reverse(
        live_settings.LOGIN_REDIRECT_URL
    )


def test_without_configuration_there_is_no_such_door(client: Client) -> None:
    assert client.post(reverse("openid_connect_login")).status_code == HTTPStatus.NOT_FOUND
    assert client.get(reverse("openid_connect_callback")).status_code == HTTPStatus.NOT_FOUND
    assert "Sign in with" not in client.get(reverse("accounts:sign_in")).content.decode()


# -------------------------------------------------------------------- the configuration

WHOLE = {
    "OIDC_ISSUER": "https://login.example.org/realms/staff/",
    "OIDC_CLIENT_ID": "portal",
    "OIDC_CLIENT_SECRET": SECRET,
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*WHOLE, "OIDC_NAME", "OIDC_CLIENT_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_none_or_all_of_it_is_a_configuration(
    environment: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    assert oidc_from_environment() == {}
    for name, value in WHOLE.items():
        environment.setenv(name, value)
    found = oidc_from_environment()
    assert found["settings"]["server_url"] == "https://login.example.org/realms/staff"
    assert (found["name"], found["secret"]) == ("OpenID Connect", SECRET)

    (tmp_path / "secret").write_text("from a file\n")
    environment.setenv("OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    assert oidc_from_environment()["secret"] == "from a file"


@pytest.mark.parametrize("left_out", list(WHOLE))
def test_a_part_of_it_stops_the_start_and_says_what_is_missing(
    environment: pytest.MonkeyPatch, left_out: str
) -> None:
    for name, value in WHOLE.items():
        if name != left_out:
            environment.setenv(name, value)

    with pytest.raises(ImproperlyConfigured, match=f"^{left_out} missing") as told:
        oidc_from_environment()
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    "issuer",
    ["login.example.org", "http://login.example.org", "ftp://x", "https://", "https://a b[",
     "https://name:word@login.example.org", "https://x/?a=1", "javascript:alert(1)"],
)  # fmt: skip
def test_an_issuer_to_which_no_secret_may_go_stops_the_start(issuer: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="expects https://host/path"):
        origin_of(issuer)


def test_the_form_may_lead_to_the_issuer() -> None:
    assert origin_of("https://login.example.org:8443/a/b") == "https://login.example.org:8443"
    assert origin_of("http://127.0.0.1:9000") == "http://127.0.0.1:9000"
