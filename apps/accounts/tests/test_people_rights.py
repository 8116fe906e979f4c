"""Who may open the pages about people: admins and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Invitation, User
from apps.accounts.services import invitations, password_links, people, policy, standing
from apps.accounts.services.invitations import Offer
from apps.accounts.services.people import Grants, PersonFacts
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.core.testing import make_user

pytestmark = pytest.mark.django_db

PAGES = [
    "user_list", "user_add", "user_detail", "user_edit", "user_grants", "user_history",
    "user_disable", "user_enable", "user_ask_password", "user_link", "user_sign_out",
    "user_remove_factor", "invitation_list", "invitation_add", "invitation_revoke",
    "policy_edit", "policy_history",
]  # fmt: skip
READ_ONLY = {"user_list", "user_detail", "user_history", "invitation_list", "policy_history"}
OF_A_PERSON = {name for name in PAGES if name.startswith("user_")} - {"user_list", "user_add"}


def path_of(name: str, person: User) -> str:
    args = [person.pk] if name in OF_A_PERSON or name == "invitation_revoke" else []
    return reverse(f"accounts:{name}", args=args)


@pytest.fixture
def anna() -> User:
    return make_user("anna")


@pytest.mark.parametrize("name", PAGES)
def test_anonymous_is_sent_to_sign_in(client: Client, anna: User, name: str) -> None:
    for method in (client.get, client.post):
        answer = method(path_of(name, anna))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("name", PAGES)
def test_whoever_is_no_admin_is_refused(
    client: Client, anna: User, operator: Any, user: Any, readonly: Any, outsider: Any, name: str
) -> None:
    everywhere = make_user("everywhere", Role.OPERATOR)
    for person in (operator, user, readonly, outsider, everywhere, anna):
        client.force_login(person)
        is_post_only = name == "invitation_revoke"
        for target in (anna, User(pk=999_999)):
            path = path_of(name, target)
            assert client.get(path).status_code == (405 if is_post_only else 403)
            wanted = 405 if name in READ_ONLY else 403
            assert client.post(path, {"reason": "x"}).status_code == wanted
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("name", sorted(set(PAGES) - {"invitation_revoke"}))
def test_an_admin_sees_every_page(client: Client, admin: Any, anna: User, name: str) -> None:
    client.force_login(admin)
    assert client.get(path_of(name, anna)).status_code == 200
    assert client.put(path_of(name, anna)).status_code == 405


@pytest.mark.parametrize("name", sorted(OF_A_PERSON | {"invitation_revoke"}))
def test_who_is_not_there_is_not_found(client: Client, admin: Any, name: str) -> None:
    client.force_login(admin)
    for pk in (999_999, 2**63, 10**30):
        path = reverse(f"accounts:{name}", args=[pk])
        ask = client.post if name == "invitation_revoke" else client.get
        assert ask(path).status_code == 404


def test_a_disabled_admin_is_refused_by_every_service(admin: Any, anna: User) -> None:
    User.objects.filter(pk=admin.pk).update(is_active=False)  # while a request was under way
    assert admin.is_active
    for call in calls(admin, anna):
        with pytest.raises(PermissionDenied):
            call()
    assert not AuditEntry.objects.exists()


def test_services_refuse_everybody_else(operator: Any, anna: User) -> None:
    for call in calls(operator, anna):
        with pytest.raises(PermissionDenied):
            call()
    assert not AuditEntry.objects.exists()


def test_a_token_below_admin_changes_nobody(admin: Any, anna: User) -> None:
    admin.role_ceiling = Role.OPERATOR
    for call in calls(admin, anna):
        with pytest.raises(PermissionDenied):
            call()


def calls(actor: Any, anna: User) -> list[Any]:
    """Every service of this app that changes another person's access."""
    facts = PersonFacts("ben", "", "")
    given: Grants = {None: Role.ADMIN}
    offer = Offer("Ben", "", Role.USER, True, [], 3)
    invitation = Invitation(pk=1)
    held = {"actor": actor, "user": anna}
    return [
        lambda: people.person_create(actor=actor, facts=facts, grants=given),
        lambda: people.person_update(**held, facts=facts),
        lambda: people.grants_set(**held, grants=given),
        lambda: standing.person_disable(**held, reason="x"),
        lambda: standing.person_enable(**held, reason="x"),
        lambda: standing.password_change_ask(**held),
        lambda: standing.sign_out_everywhere(**held, with_tokens=True),
        lambda: standing.second_factor_remove(**held, reason="x"),
        lambda: password_links.password_link_create(**held),
        lambda: invitations.invitation_create(actor=actor, offer=offer),
        lambda: invitations.invitation_revoke(actor=actor, invitation=invitation),
        lambda: policy.policy_update(actor=actor, second_factor_from="", registration="off"),
    ]


def test_the_pages_of_one_s_own_account_are_for_everybody(client: Client, anna: User) -> None:
    assert client.get(reverse("accounts:profile")).status_code == 302
    client.force_login(anna)
    assert client.get(reverse("accounts:profile")).status_code == 200
