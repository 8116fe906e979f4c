from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, RoleGrant
from apps.clusters.selectors import clusters_visible, has_everywhere, roles_in

pytestmark = pytest.mark.django_db


def _user(name: str, role: Role | None = None, cluster: Cluster | None = None) -> User:
    user = User.objects.create_user(name)
    if role:
        RoleGrant.objects.create(user=user, role=role, cluster=cluster)
    return user


def test_a_grant_reaches_its_cluster_and_a_global_one_reaches_all() -> None:
    web, db = Cluster.objects.create(name="web"), Cluster.objects.create(name="db")
    assert list(clusters_visible(_user("a", Role.READONLY, web))) == [web]
    assert list(clusters_visible(_user("b", Role.USER))) == [db, web]
    assert list(clusters_visible(_user("c"))) == []
    assert list(clusters_visible(AnonymousUser())) == []


def test_a_disabled_person_sees_nothing() -> None:
    Cluster.objects.create(name="web")
    user = _user("a", Role.ADMIN)
    user.is_active = False
    assert list(clusters_visible(user)) == []
    assert not has_everywhere(user, Role.READONLY)


def test_a_role_includes_the_weaker_ones() -> None:
    operator = _user("o", Role.OPERATOR)
    assert has_everywhere(operator, Role.USER)
    assert not has_everywhere(operator, Role.ADMIN)


def test_the_database_refuses_admin_of_a_cluster_and_two_roles_in_one_place() -> None:
    web = Cluster.objects.create(name="web")
    user = _user("a", Role.USER, web)
    for wrong in (
        RoleGrant(user=user, role=Role.ADMIN, cluster=Cluster.objects.create(name="db")),
        RoleGrant(user=user, role=Role.OPERATOR, cluster=web),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong.save()


def test_a_second_global_grant_is_refused_too() -> None:
    user = _user("a", Role.USER)
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(user=user, role=Role.ADMIN, cluster=None)


def test_roles_in_a_cluster_include_the_weaker_ones() -> None:
    web, other = Cluster.objects.create(name="web"), Cluster.objects.create(name="other")
    person = _user("p", Role.OPERATOR, web)
    assert roles_in(person, web.pk) == {Role.READONLY, Role.USER, Role.OPERATOR}
    assert roles_in(person, other.pk) == set()
    assert roles_in(person, None) == set()
    assert roles_in(_user("a", Role.ADMIN), None) == set(Role)
