"""Django admin: people are looked at there, and changed on the portal's own pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.accounts.choices import Registration
from apps.accounts.models import AccessPolicy, User
from apps.accounts.services.invitations import Offer, invitation_create
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.testing import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client, admin: Any) -> Client:
    User.objects.filter(pk=admin.pk).update(is_staff=True)
    client.force_login(admin)
    return client


def test_people_are_shown_without_their_password(boss: Client, admin: Any) -> None:
    anna = make_user("anna", Role.OPERATOR, first_name="Anna Berg")
    assert "anna" in boss.get("/admin/accounts/user/?q=berg").content.decode()

    page = boss.get(f"/admin/accounts/user/{anna.pk}/change/").content.decode()

    assert "Anna Berg" in page
    assert "Operator" in page
    assert anna.password not in page
    assert "md5" not in page


def test_nothing_is_saved_there(boss: Client) -> None:
    anna = make_user("anna", Role.READONLY)
    path = f"/admin/accounts/user/{anna.pk}"
    for url in (f"{path}/change/", f"{path}/delete/", "/admin/accounts/user/add/"):
        assert (
            boss.post(url, {"username": "root", "is_active": "", "_save": "1"}).status_code == 403
        )
    ticked = {"action": "delete_selected", "_selected_action": [anna.pk], "post": "yes"}
    boss.post("/admin/accounts/user/", ticked)
    anna.refresh_from_db()
    assert (anna.username, anna.is_active) == ("anna", True)
    assert RoleGrant.objects.get(user=anna).role == Role.READONLY
    assert not AuditEntry.objects.exists()


def test_the_way_to_the_page_that_changes_stands_there(boss: Client) -> None:
    anna = make_user("anna")
    assert anna.get_absolute_url() == f"/people/{anna.pk}/"
    page = boss.get(f"/admin/accounts/user/{anna.pk}/change/").content.decode()
    assert "View on site" in page


def test_invitations_and_policy_are_shown_without_the_hash(boss: Client, admin: Any) -> None:
    AccessPolicy.objects.create(pk=1, registration=Registration.INVITATION)
    offer = Offer("Ben", "", Role.USER, True, [], 3)
    invitation, key = invitation_create(actor=admin, offer=offer)
    for path in ("invitation/", f"invitation/{invitation.pk}/change/", "accesspolicy/1/change/"):
        answer = boss.get(f"/admin/accounts/{path}")
        assert answer.status_code == 200
        assert invitation.digest not in answer.content.decode()
        assert key not in answer.content.decode()
    assert boss.post(f"/admin/accounts/invitation/{invitation.pk}/change/", {}).status_code == 403


def test_nobody_else_comes_in(client: Client, operator: Any) -> None:
    client.force_login(operator)
    assert client.get("/admin/accounts/user/").status_code in (302, 403)
