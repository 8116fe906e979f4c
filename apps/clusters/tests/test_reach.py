"""What is read once says the same as what is asked each time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import DjangoAssertNumQueries

from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.clusters.selectors import (
    clusters_visible,
    has_everywhere,
    has_somewhere,
    reach_for,
    reach_of,
    sites_visible,
)
from apps.core.testing import make_cluster, make_server, make_site, make_user
from apps.inventory.models import Rack, Server

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(admin: Any, operator: Any, user: Any, readonly: Any, outsider: Any) -> list[Any]:
    both = make_user("both", Role.READONLY)
    RoleGrant.objects.create(user=both, role=Role.OPERATOR, cluster=make_cluster("web"))
    disabled = make_user("disabled", Role.ADMIN, is_active=False)
    return [
        admin, operator, user, readonly, outsider, both, disabled, make_user("nobody"),
        AnonymousUser(),
    ]  # fmt: skip


def test_reach_and_grants_agree_about_everybody(people: list[Any], web: Any) -> None:
    make_server(cluster=web)
    make_server(cluster=make_cluster("elsewhere"), site=make_site("muc"))
    make_server()
    Rack.objects.create(site=make_site("muc"), name="A01")
    for person in people:
        reach = reach_of(person)
        for role in Role:
            assert has_everywhere(reach, role) == has_everywhere(person, role), (person, role)
            assert has_somewhere(reach, role) == has_somewhere(person, role), (person, role)
            theirs = Server.objects.actionable_by(person, role)
            assert set(Server.objects.actionable_by(reach, role)) == set(theirs)
        assert set(Server.objects.visible_to(reach)) == set(Server.objects.visible_to(person))
        assert set(clusters_visible(reach)) == set(clusters_visible(person))
        assert set(sites_visible(reach)) == set(sites_visible(person))
        assert set(Rack.objects.visible_to(reach)) == set(Rack.objects.visible_to(person))


def test_a_request_reads_it_once(
    operator: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = SimpleNamespace(user=operator)
    with django_assert_num_queries(1):
        assert reach_for(request) is reach_for(request)
