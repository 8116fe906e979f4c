from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.bmc import Secret
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, RoleGrant, Site
from apps.inventory.models import Bmc, CredentialProfile, Server, ServerStatus
from apps.inventory.services import (
    PowerReading,
    ServerFacts,
    profile_create,
    profile_update,
    server_create,
    server_delete,
    server_update,
    status_record,
)
from apps.inventory.services.profiles import ProfileFacts

pytestmark = pytest.mark.django_db

FACTS = ProfileFacts(
    name="dell", username="portal", privilege=3, networks=["10.0.0.0/24"], is_open_everywhere=False
)


@pytest.fixture
def web() -> Cluster:
    return Cluster.objects.create(name="web")


@pytest.fixture
def person() -> Callable[..., User]:
    def make(role: Role, cluster: Cluster | None = None) -> User:
        user = User.objects.create_user(f"{role}-{User.objects.count()}")
        RoleGrant.objects.create(user=user, role=role, cluster=cluster)
        return user

    return make


@pytest.fixture
def profile(person: Callable[..., User], web: Cluster) -> CredentialProfile:
    return profile_create(
        actor=person(Role.ADMIN), facts=FACTS, clusters=[web], password=Secret("hunter2")
    )


@pytest.fixture
def facts(web: Cluster, profile: CredentialProfile) -> ServerFacts:
    return ServerFacts(
        name="web-1", cluster=web, site=Site.objects.create(name="A"), address="10.0.0.5",
        port=623, profile=profile, suite="auto",
    )  # fmt: skip


def test_a_secret_is_stored_sealed_and_never_told(profile: CredentialProfile) -> None:
    stored = CredentialProfile.objects.values().get()
    assert "hunter2" not in str(stored)
    assert "hunter2" not in str(list(AuditEntry.objects.values()))
    assert profile.credential().password == Secret("hunter2")


def test_only_admins_write_profiles(
    person: Callable[..., User], profile: CredentialProfile
) -> None:
    operator = person(Role.OPERATOR)
    with pytest.raises(PermissionDenied):
        profile_create(actor=operator, facts=FACTS, clusters=[], password=Secret("x"))
    with pytest.raises(PermissionDenied):
        profile_update(actor=operator, profile=profile, facts=FACTS, clusters=[])


def test_networks_shrink_freely_and_grow_with_the_password_only(
    person: Callable[..., User], profile: CredentialProfile
) -> None:
    admin = person(Role.ADMIN)
    smaller = replace(FACTS, networks=["10.0.0.0/25"])
    profile_update(actor=admin, profile=profile, facts=smaller, clusters=[])
    with pytest.raises(ValidationError, match="password again"):
        profile_update(actor=admin, profile=profile, facts=FACTS, clusters=[])
    profile = profile_update(
        actor=admin, profile=profile, facts=FACTS, clusters=[], password=Secret("hunter3")
    )
    assert profile.networks == ["10.0.0.0/24"]
    assert profile.credential().password == Secret("hunter3")


def test_what_would_be_sent_has_a_new_key_when_it_changes(
    person: Callable[..., User], profile: CredentialProfile
) -> None:
    admin, key = person(Role.ADMIN), profile.key
    renamed = profile_update(
        actor=admin, profile=profile, facts=replace(FACTS, name="dell-2"), clusters=[]
    )
    assert renamed.key == key
    changed = profile_update(
        actor=admin, profile=profile, facts=replace(FACTS, username="other"), clusters=[]
    )
    assert changed.key != key


def test_an_operator_adds_a_server_to_the_own_cluster_only(
    person: Callable[..., User], web: Cluster, facts: ServerFacts
) -> None:
    operator = person(Role.OPERATOR, web)
    server = server_create(actor=operator, facts=facts)
    assert ServerStatus.objects.get(server=server).fault == "never_read"
    assert AuditEntry.objects.filter(action="inventory.server.create").count() == 1
    elsewhere = Cluster.objects.create(name="db")
    for cluster in (elsewhere, None):
        with pytest.raises(PermissionDenied):
            server_create(actor=operator, facts=replace(facts, name="x", cluster=cluster))
        with pytest.raises(PermissionDenied):
            server_update(actor=operator, server=server, facts=replace(facts, cluster=cluster))
    with pytest.raises(PermissionDenied):
        server_create(actor=person(Role.USER, web), facts=facts)


def test_a_profile_is_bound_inside_its_networks_only(
    person: Callable[..., User], web: Cluster, facts: ServerFacts
) -> None:
    operator = person(Role.OPERATOR, web)
    with pytest.raises(ValidationError, match="do not contain the address"):
        server_create(actor=operator, facts=replace(facts, address="10.0.1.5"))
    server = server_create(actor=operator, facts=facts)
    with pytest.raises(ValidationError, match="do not contain the address"):
        server_update(actor=operator, server=server, facts=replace(facts, address="10.0.1.5"))
    unbound = server_update(
        actor=operator, server=server, facts=replace(facts, address="10.0.1.5", profile=None)
    )
    assert unbound.bmc.profile is None
    assert not Bmc.objects.filter(address="10.0.0.5").exists()


def test_a_profile_must_be_opened_to_the_person(
    person: Callable[..., User], web: Cluster, facts: ServerFacts, profile: CredentialProfile
) -> None:
    profile.clusters.clear()
    with pytest.raises(ValidationError, match="opened to you"):
        server_create(actor=person(Role.OPERATOR, web), facts=facts)
    server_create(actor=person(Role.ADMIN), facts=facts)


def test_a_profile_for_every_operator_is_for_those_of_one_cluster_too(
    person: Callable[..., User], web: Cluster, profile: CredentialProfile
) -> None:
    def usable(user: User) -> bool:
        return CredentialProfile.objects.usable_by(user).filter(pk=profile.pk).exists()

    elsewhere = Cluster.objects.create(name="db")
    everywhere, here, there = (
        person(Role.OPERATOR), person(Role.OPERATOR, web), person(Role.OPERATOR, elsewhere)
    )  # fmt: skip
    assert [usable(everywhere), usable(here), usable(there)] == [True, True, False]
    profile.clusters.clear()
    assert not any(map(usable, (everywhere, here, there)))
    CredentialProfile.objects.update(is_open_everywhere=True)
    assert all(map(usable, (everywhere, here, there)))
    assert not usable(person(Role.USER))


def test_an_operator_keeps_a_bound_profile_when_only_the_name_changes(
    person: Callable[..., User], web: Cluster, facts: ServerFacts, profile: CredentialProfile
) -> None:
    server = server_create(actor=person(Role.ADMIN), facts=facts)
    profile.clusters.clear()
    renamed = server_update(
        actor=person(Role.OPERATOR, web), server=server, facts=replace(facts, name="web-9")
    )
    assert (renamed.name, renamed.bmc.profile) == ("web-9", profile)


def test_another_address_forgets_what_was_read_there(
    person: Callable[..., User], facts: ServerFacts
) -> None:
    admin = person(Role.ADMIN)
    server = server_create(actor=admin, facts=facts)
    Bmc.objects.update(guid="a" * 32, refused_key="k", refused_count=2)
    status_record([PowerReading(server.pk, "on")])  # type: ignore[arg-type]  # the stored value
    server = server_update(actor=admin, server=server, facts=replace(facts, address="10.0.0.6"))
    status = ServerStatus.objects.get(server=server)
    assert (status.power, status.last_power, status.fault) == ("unknown", "unknown", "never_read")
    assert (server.bmc.guid, server.bmc.refused_count) == ("", 0)


def test_deleting_a_server_removes_its_bmc_with_the_last_one(
    person: Callable[..., User], facts: ServerFacts
) -> None:
    admin = person(Role.ADMIN)
    first = server_create(actor=admin, facts=facts)
    second = Server.objects.create(name="web-2", cluster=facts.cluster, bmc=first.bmc)
    with pytest.raises(PermissionDenied):
        server_delete(actor=person(Role.READONLY), server=first)
    server_delete(actor=admin, server=first)
    assert Bmc.objects.count() == 1
    server_delete(actor=admin, server=second)
    assert Bmc.objects.count() == 0
    entry = AuditEntry.objects.filter(action="inventory.server.delete").latest("pk")
    assert entry.before is not None
    assert entry.before["address"] == "10.0.0.5"
