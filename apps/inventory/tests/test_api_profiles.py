from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps

from apps.accounts.models import User
from apps.audit.models import AuditEntry, IdempotentRequest
from apps.bmc import Secret
from apps.clusters.models import Cluster
from apps.core.testing import api_client, make_profile, make_server
from apps.inventory.models import CredentialProfile

pytestmark = pytest.mark.django_db

CANARY = "kanarienvogel-7f3"
KG_CANARY = "wellensittich-9"
PROFILES = "/api/profiles/"


def body(**changes: Any) -> dict[str, Any]:
    told = {"name": "dell", "username": "portal", "password": CANARY, "networks": ["10.0.0.0/24"]}
    return told | changes


def test_a_profile_is_made_and_told_without_its_secrets(admin: User, web: Cluster) -> None:
    answer = api_client(admin).post(
        PROFILES, body(kg=KG_CANARY, privilege="administrator", clusters=[web.pk])
    )
    told = answer.json()
    assert answer.status_code == 201
    assert {
        name: told[name] for name in ("name", "username", "has_kg", "privilege", "networks")
    } == {
        "name": "dell",
        "username": "portal",
        "has_kg": True,
        "privilege": "administrator",
        "networks": ["10.0.0.0/24"],
    }
    assert told["clusters"] == [{"id": web.pk, "name": "web"}]
    credential = CredentialProfile.objects.get().credential()
    assert (credential.password, credential.kg) == (Secret(CANARY), Secret(KG_CANARY))


def test_no_secret_is_in_an_answer_a_record_or_a_log(
    admin: User, operator: User, capsys: pytest.CaptureFixture[str]
) -> None:
    client = api_client(admin)
    answers = [
        client.post(PROFILES, body(kg=KG_CANARY), headers={"Idempotency-Key": "k1"}),
        client.post(PROFILES, body(kg=KG_CANARY), headers={"Idempotency-Key": "k1"}),
        client.post(PROFILES, body(kg=KG_CANARY, name="x"), headers={"Idempotency-Key": "k1"}),
        client.post(PROFILES, body(kg=KG_CANARY)),
        client.post(PROFILES, body(name="y", password=CANARY * 9, kg=KG_CANARY * 9)),
        client.post(PROFILES, body(name="y", password=f"{CANARY}\x07")),
        client.post(PROFILES, body(name="y", password=[CANARY], privilege=CANARY)),
        client.post(PROFILES, body(name="y", password=None, networks=["10.0.0.0/8"], kg=CANARY)),
        client.post(
            PROFILES, f'{{"password": "{CANARY}", '.encode(), content_type="application/json"
        ),
        client.post(PROFILES, f"password={CANARY}".encode(), content_type="text/plain"),
        api_client(operator).post(PROFILES, body(name="z")),
    ]
    url = answers[0].json()["url"]
    answers += [
        client.patch(url, {"password": CANARY, "name": "dell-2"}),
        client.patch(url, {"password": CANARY, "version": 1}),
        client.put(url, body(name="dell-3", kg=KG_CANARY), headers={"If-Match": '"v1"'}),
        client.put(url, body(name="dell-3", networks=["8.8.8.8/-1"])),
        client.get(url),
        client.get(PROFILES),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [201, 201, 422, 422, 422, 422, 422, 422, 400, 415, 403, 200, 412, 412, 422,
                        200, 200]  # fmt: skip
    places = [f"{answer.content.decode()} {dict(answer.headers)}" for answer in answers]
    for model in apps.get_models():
        places += [json.dumps(row, default=str) for row in model._base_manager.values()]
    places += list(capsys.readouterr())
    for place in places:
        assert CANARY not in place
        assert KG_CANARY not in place
    assert IdempotentRequest.objects.count() == 1
    assert AuditEntry.objects.filter(action__startswith="inventory.profile").count() == 2


def test_what_was_read_can_be_put_back_and_the_secret_stays(admin: User, web: Cluster) -> None:
    client = api_client(admin)
    url = client.post(PROFILES, body(kg=KG_CANARY, clusters=[web.pk])).json()["url"]
    read = client.get(url).json()
    answer = client.put(url, read | {"name": "dell-2"})
    assert answer.status_code == 200
    assert answer.json()["has_kg"] is True
    assert CredentialProfile.objects.get().credential().password == Secret(CANARY)
    assert answer.json()["clusters"] == read["clusters"]


def test_wider_networks_need_the_password(admin: User) -> None:
    client = api_client(admin)
    url = client.post(PROFILES, body()).json()["url"]
    answer = client.patch(url, {"networks": ["10.0.0.0/8"]})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["password"])
    answer = client.patch(url, {"networks": ["10.0.0.0/8"], "password": CANARY})
    assert (answer.status_code, answer["ETag"]) == (200, '"v2"')
    assert client.patch(url, {"networks": ["10.0.0.0/25"]}).status_code == 200


def test_a_stale_change_shows_the_difference(admin: User) -> None:
    client = api_client(admin)
    url = client.post(PROFILES, body()).json()["url"]
    client.patch(url, {"username": "other"})
    answer = client.patch(url, {"username": "third", "privilege": "operator", "version": 1})
    assert answer.status_code == 412
    assert answer.json()["differences"] == {"username": {"yours": "third", "current": "other"}}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "taken"}, "name"),
        ({"username": ""}, "username"),
        ({"username": "x" * 17}, "username"),
        ({"username": "äöüäöüäöüä"}, "username"),
        ({"password": ""}, "password"),
        ({"password": "x" * 21}, "password"),
        ({"password": 7}, "password"),
        ({"networks": []}, "networks"),
        ({"networks": ["10.0.0.1/24"]}, "networks"),
        ({"networks": ["everywhere"]}, "networks"),
        ({"networks": "10.0.0.0/8"}, "networks"),
        ({"privilege": 4}, "privilege"),
        ({"privilege": "callback"}, "privilege"),
        ({"clusters": [99_999]}, "clusters.0"),
        ({"is_open_everywhere": "yes"}, "is_open_everywhere"),
        ({"sealed_password": "x"}, "sealed_password"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    admin: User, changes: dict[str, Any], field: str
) -> None:
    make_profile(name="taken")
    answer = api_client(admin).post(PROFILES, body(**changes))
    assert answer.status_code == 422
    assert field in answer.json()["errors"]
    assert CredentialProfile.objects.count() == 1


def test_a_new_profile_needs_a_password_and_a_key_comes_with_one(admin: User) -> None:
    client = api_client(admin)
    told = {name: value for name, value in body().items() if name != "password"}
    assert list(client.post(PROFILES, told).json()["errors"]) == ["password"]
    url = client.post(PROFILES, body()).json()["url"]
    assert list(client.patch(url, {"kg": KG_CANARY}).json()["errors"]) == ["password"]


def test_a_profile_in_use_is_not_removed(admin: User) -> None:
    profile = make_profile(name="lab")
    server = make_server(profile=profile)
    client = api_client(admin)
    url = f"/api/profiles/{profile.pk}"
    answer = client.delete(url)
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert answer.json()["detail"].startswith("1 BMC is")
    server.bmc.delete()
    assert client.delete(url, headers={"If-Match": '"v2"'}).status_code == 412
    assert client.delete(url).status_code == 204
    assert AuditEntry.objects.filter(action="inventory.profile.delete").count() == 1


@pytest.mark.parametrize("who", ["operator", "user", "readonly", "outsider"])
def test_profiles_are_for_admins_whatever_the_id(who: str, request: pytest.FixtureRequest) -> None:
    client = api_client(request.getfixturevalue(who))
    profile = make_profile()
    for pk in (profile.pk, 99_999):
        for call in (client.get, client.delete, client.put, client.patch):
            assert call(f"/api/profiles/{pk}").status_code == 403
    assert client.get(PROFILES).status_code == client.post(PROFILES, body()).status_code == 403
