from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.bmc import PowerAction, PowerState
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.core.testing import api_client, make_cluster, make_profile, make_server, make_user
from apps.inventory.models import Server
from apps.jobs import tasks
from apps.jobs.models import Job
from apps.jobs.services import RequestKeyReused
from apps.power.choices import ACTION_ROLE
from apps.power.tests.test_udp import running, until
from apps.simulator.thread import FleetThread


@pytest.fixture
def server(web: Cluster) -> Server:
    return make_server(cluster=web)


@pytest.mark.django_db
@pytest.mark.parametrize("action", list(PowerAction))
@pytest.mark.parametrize("who", ["admin", "operator", "user", "readonly", "outsider"])
def test_who_may_order_what(
    server: Server, action: PowerAction, who: str, request: pytest.FixtureRequest
) -> None:
    client = api_client(request.getfixturevalue(who))
    answer = client.post(f"/api/servers/{server.pk}/power/{action.value}", {})
    may = who in ("admin", "operator") or (who == "user" and ACTION_ROLE[action] is Role.USER)
    expected = 404 if who == "outsider" else 202 if may else 403
    assert answer.status_code == expected
    assert Job.objects.exists() is may


@pytest.mark.django_db
def test_an_order_is_202_with_the_job_and_where_to_follow_it(
    operator: User, server: Server
) -> None:
    client = api_client(operator)
    answer = client.post(f"/api/servers/{server.pk}/power/off", {"reason": "fan swap"})
    told = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, told["url"])
    assert (told["params"], told["reason"], told["counts"]) == (
        {"action": "off"}, "fan swap", {"queued": 1},
    )  # fmt: skip
    assert told["targets"][0]["server"] == {"id": server.pk, "name": server.name}
    assert client.get(answer["Location"]).json()["id"] == Job.objects.get().pk
    assert AuditEntry.objects.get().reason == "fan swap"


@pytest.mark.django_db
def test_no_body_at_all_is_fine(operator: User, server: Server) -> None:
    answer = api_client(operator).post(f"/api/servers/{server.pk}/power/on")
    assert answer.status_code == 202


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["explode", "OFF", "soft-off", "0", "off%00"])
def test_an_action_that_is_none_is_404(operator: User, server: Server, action: str) -> None:
    answer = api_client(operator).post(f"/api/servers/{server.pk}/power/{action}", {})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not Job.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x" * 501}, "reason"),
        ({"reason": 7}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"raeson": "x"}, "raeson"),
        ([], "body"),
    ],
)
def test_a_body_that_cannot_be_orders_nothing(
    operator: User, server: Server, body: object, field: str
) -> None:
    answer = api_client(operator).post(f"/api/servers/{server.pk}/power/off", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_the_same_key_is_one_job_and_another_action_is_refused(
    operator: User, server: Server
) -> None:
    client = api_client(operator)
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    url = f"/api/servers/{server.pk}/power"
    first = client.post(f"{url}/reset", {}, headers=headers)
    again = client.post(f"{url}/reset/", {}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()
    assert first["Location"] == again["Location"]
    other = client.post(f"{url}/off", {}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Job.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValidationError("It is protected: hosts the DNS."), 409, "refused"),
        (RequestKeyReused(), 422, "idempotency_key_reused"),
    ],
)
def test_what_the_service_refuses_is_a_problem(
    operator: User,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
) -> None:
    def refuse(**_: object) -> Job:
        raise error

    monkeypatch.setattr("apps.power.api.power_order", refuse)
    answer = api_client(operator).post(f"/api/servers/{server.pk}/power/off", {})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.django_db(transaction=True)
def test_an_order_is_followed_to_its_verified_end() -> None:
    with FleetThread(count=1, lag_scale=0.1) as simulated, running():
        fleet = simulated.fleet
        server = make_server(
            address=fleet[0].address,
            port=fleet[0].port,
            profile=make_profile(username=fleet.username, password=fleet.password),
            cluster=make_cluster("web"),
        )
        client = api_client(make_user("operator", Role.OPERATOR, server.cluster))
        headers = {"Idempotency-Key": "once"}
        for _ in range(3):
            job = client.post(f"/api/servers/{server.pk}/power/off", {}, headers=headers)
        tasks.ring()
        until(lambda: client.get(job["Location"]).json()["finished_at"])
        [target] = client.get(job["Location"]).json()["targets"]
        assert (target["state"], target["result"]["code"]) == ("succeeded", "verified")
        assert (target["previous_power"], target["final_power"]) == ("on", "off")
        assert client.get(f"/api/servers/{server.pk}").json()["power"]["state"] == "off"
        assert fleet[0].executed_count(PowerAction.OFF) == 1
        assert fleet[0].power is PowerState.OFF


@pytest.mark.django_db
def test_a_protected_server_is_409_with_the_reason(operator: User, web: Cluster) -> None:
    server = make_server(cluster=web, is_protected=True, protected_reason="Firmware trial")
    client = api_client(operator)
    for action in PowerAction:
        answer = client.post(f"/api/servers/{server.pk}/power/{action.value}", {})
        assert (answer.status_code, answer.json()["code"]) == (409, "protected")
        assert answer.json()["detail"] == "Firmware trial"
    assert not Job.objects.exists()
    assert client.post(f"/api/servers/{server.pk}/identify", {}).status_code == 202


@pytest.mark.django_db
def test_the_grace_period_is_the_portal_s_or_what_was_asked(
    operator: User, server: Server, settings: Any
) -> None:
    settings.POWER_GRACE_SECONDS = 5
    client = api_client(operator)
    for body, seconds in (({}, 5), ({"grace_seconds": 0}, 0), ({"grace_seconds": 30}, 30)):
        answer = client.post(f"/api/servers/{server.pk}/power/off", body)
        target = Job.objects.get(pk=answer.json()["id"]).targets.get()
        waits = target.release_at - target.state_at
        assert round(waits.total_seconds()) == seconds


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("power/off", {"grace_seconds": -1}, "grace_seconds"),
        ("power/off", {"grace_seconds": 301}, "grace_seconds"),
        ("power/off", {"grace_seconds": "5"}, "grace_seconds"),
        ("power/off", {"escalate": True}, "escalate"),
        ("power/soft_off", {"escalate": "yes"}, "escalate"),
        ("identify", {"seconds": 256}, "seconds"),
        ("identify", {"seconds": -1}, "seconds"),
        ("identify", {"seconds": True}, "seconds"),
    ],
)
def test_what_an_order_cannot_be_is_422_at_its_field(
    operator: User, server: Server, path: str, body: dict[str, Any], field: str
) -> None:
    answer = api_client(operator).post(f"/api/servers/{server.pk}/{path}", body)
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {field}
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_soft_off_then_hard_off_needs_the_right_to_both(
    user: User, operator: User, server: Server
) -> None:
    path = f"/api/servers/{server.pk}/power/soft_off"
    assert api_client(user).post(path, {"escalate": True}).status_code == 403
    answer = api_client(operator).post(path, {"escalate": True})
    assert answer.status_code == 202
    assert Job.objects.get().params == {"action": "soft_off", "escalate": True}
