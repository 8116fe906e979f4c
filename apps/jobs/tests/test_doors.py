"""What jobs tell on the pages of lower floors."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.core.panels import panel_render, panels_of
from apps.core.testing import make_server
from apps.inventory.models import Server
from apps.inventory.selectors import SERVER_PAGE
from apps.jobs.choices import TargetState
from apps.jobs.models import Job, JobTarget

pytestmark = pytest.mark.django_db


def order(server: Server, **fields: Any) -> JobTarget:
    job = Job.objects.create(kind="power", actor_name="m.chen")
    return JobTarget.objects.create(
        job=job, server=server, server_name=server.name, bmc=server.bmc,
        not_after=timezone.now(), **fields,
    )  # fmt: skip


def shown(region: str, obj: Any) -> str:
    (panel,) = [one for one in panels_of(SERVER_PAGE, region) if one.name.startswith("open-")]
    return panel_render(panel, obj)


def test_open_orders_are_told_before_a_server_goes() -> None:
    server, other = make_server(name="web-1"), make_server(name="web-2")
    assert shown("remove", server) == ""
    order(server)
    order(server)
    order(other, state=TargetState.SUCCEEDED, ended_at=timezone.now())
    assert "An order is at work on 1 server that goes." in shown("remove", server)
    assert shown("remove", other) == ""


def test_of_many_the_first_are_named(django_assert_num_queries: Any) -> None:
    servers = [make_server(name=f"web-{n:02}") for n in range(12)]
    for server in servers:
        order(server)
    with django_assert_num_queries(1):
        text = shown("remove-many", servers)
    assert "Orders are at work on 12 servers that go." in text
    assert "web-09, …" in text
    assert "web-10" not in text
