from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from apps.accounts.services import api_token_create
from apps.core.testing import make_server
from apps.jobs.models import Worker

pytestmark = pytest.mark.django_db


def samples(client: Client, **headers: Any) -> dict[str, float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.content
    families = text_string_to_metric_families(answer.content.decode())
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_it_tells_states_faults_ages_and_workers(client: Client, admin: Any) -> None:
    now = timezone.now()
    make_server(status={"power": "on", "power_read_at": now, "fault": ""})
    hour_ago = now - dt.timedelta(hours=1)
    make_server(status={"power": "off", "power_read_at": hour_ago, "fault": ""})
    make_server(status={"fault": "unreachable"})
    Worker.objects.create(name="w1", host="h", pid=1, counters={"polls_read": 7})
    client.force_login(admin)
    told = samples(client)
    assert told["bmcportal_servers[on]"] == told["bmcportal_servers[unknown]"] == 1
    assert told["bmcportal_server_faults[unreachable]"] == 1
    assert told["bmcportal_power_readings_late"] == 1
    assert 3590 < told["bmcportal_power_reading_oldest_seconds"] < 3700
    assert told["bmcportal_bmc_workers[]"] == 1
    assert told["bmcportal_polls_read_total[w1]"] == 7


def test_a_token_of_somebody_with_a_role_everywhere_scrapes(client: Client, admin: Any) -> None:
    token = api_token_create(user=admin, days=1)
    assert "bmcportal_servers[on]" in samples(client, authorization=f"Token {token}")


@pytest.mark.parametrize("who", ["operator", "readonly", "outsider"])
def test_a_role_in_one_cluster_is_not_enough(
    client: Client, request: pytest.FixtureRequest, who: str
) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.get("/metrics").status_code == 403


def test_nobody_else_gets_in(client: Client, admin: Any) -> None:
    assert client.get("/metrics").status_code == 401
    token = api_token_create(user=admin, days=1)
    admin.is_active = False
    admin.save()
    assert client.get("/metrics", headers={"authorization": f"Token {token}"}).status_code == 401


def test_the_number_of_queries_does_not_grow(
    client: Client, admin: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        make_server()
    client.force_login(admin)
    with django_assert_max_num_queries(10):
        client.get("/metrics")
