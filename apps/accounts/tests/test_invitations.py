"""Invitations and password links: used once, by whoever has the link, while it works."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.choices import Registration
from apps.accounts.models import AccessPolicy, Invitation, User
from apps.accounts.selectors import invitations_open
from apps.accounts.services import people, standing
from apps.accounts.services.invitations import (
    Offer,
    invitation_accept,
    invitation_create,
    invitation_revoke,
)
from apps.accounts.services.password_links import (
    password_link_create,
    password_link_person,
    password_link_use,
)
from apps.accounts.services.people import PersonFacts, grants_told
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.core.testing import PASSWORD, ends_of, make_cluster, make_user, side_by_side

pytestmark = pytest.mark.django_db
NEW = "correct horse battery"
BEN = {"name": "Ben Ito", "username": "ben", "password": NEW, "again": NEW}


@pytest.fixture
def by_invitation(db: None) -> None:
    AccessPolicy.objects.create(pk=1, registration=Registration.INVITATION)


def invite(admin: Any, **fields: Any) -> tuple[Invitation, str]:
    known: dict[str, Any] = {
        "name": "Ben", "email": "", "role": Role.OPERATOR, "is_everywhere": True,
        "clusters": [], "days": 3,
    }  # fmt: skip
    return invitation_create(actor=admin, offer=Offer(**known | fields))


# -------------------------------------------------------------------- making one


@pytest.mark.usefixtures("by_invitation")
def test_an_admin_invites_and_sees_the_link_once(client: Client, admin: Any, web: Any) -> None:
    client.force_login(admin)
    typed = {
        "name": "Ben", "email": "ben@example.org", "role": "user", "where": "clusters",
        "clusters": [web.pk], "days": 3,
    }  # fmt: skip
    answer = client.post("/people/invitations/new", typed)

    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    link: str = answer.context["url"]
    key = link.rpartition("/")[2]
    assert link == f"http://testserver/invitation/{key}"
    made = Invitation.objects.get()
    assert key not in made.digest
    assert dt.timedelta(days=2.9) < made.expires_at - timezone.now() < dt.timedelta(days=3.1)
    page = client.get("/people/invitations").content.decode()
    assert key not in page
    assert "User in web" in page
    assert "1 is open" in page
    told = AuditEntry.objects.get()
    assert (told.action, told.after["grants"]) == ("accounts.invitation.create", {"web": "user"})  # type: ignore[index]  # it is told
    assert key not in str(told.after)


def test_while_registration_is_off_nobody_is_invited(client: Client, admin: Any) -> None:
    client.force_login(admin)
    assert "Registration by invitation is off" in client.get("/people/invitations").content.decode()
    typed = {"name": "Ben", "role": "user", "where": "everywhere", "days": 3}
    assert client.post("/people/invitations/new", typed).status_code == 422
    assert not Invitation.objects.exists()


@pytest.mark.usefixtures("by_invitation")
@pytest.mark.parametrize(
    "typed",
    [
        {"name": ""}, {"name": "a\u202eb"}, {"name": "x" * 151}, {"days": 0}, {"days": 31},
        {"days": ""}, {"days": "1e9"}, {"role": ""}, {"role": "king"}, {"email": "x"},
        {"where": "clusters"}, {"role": "admin", "where": "clusters"},
    ],
)  # fmt: skip
def test_what_makes_no_invitation(client: Client, admin: Any, typed: dict[str, Any]) -> None:
    client.force_login(admin)
    known = {"name": "Ben", "role": "user", "where": "everywhere", "days": 3}
    assert client.post("/people/invitations/new", known | typed).status_code == 422
    assert not Invitation.objects.exists()


@pytest.mark.usefixtures("by_invitation")
@pytest.mark.parametrize(
    "fields", [{"days": 31}, {"days": 0}, {"role": Role.ADMIN, "is_everywhere": False}]
)
def test_the_service_refuses_too(admin: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        invite(admin, **fields)


# -------------------------------------------------------------------- accepting one


@pytest.mark.usefixtures("by_invitation")
def test_whoever_has_the_link_makes_the_account(client: Client, admin: Any, web: Any) -> None:
    invitation, key = invite(
        admin, role=Role.USER, is_everywhere=False, clusters=[web], email="ben@example.org"
    )
    page = client.get(f"/invitation/{key}")
    assert (page.status_code, page["Referrer-Policy"]) == (200, "same-origin")
    assert "no-store" in page["Cache-Control"]
    assert "User in web" in page.content.decode()

    answer = client.post(f"/invitation/{key}", BEN)

    assert (answer.status_code, answer["Location"]) == (303, "/account/sign-in")
    ben = User.objects.get(username="ben")
    assert ben.check_password(NEW)
    assert (str(ben), ben.email, ben.is_staff) == ("Ben Ito", "ben@example.org", False)
    assert grants_told(ben) == {"web": "user"}
    invitation.refresh_from_db()
    assert invitation.used_by == ben
    actions = AuditEntry.objects.filter(actor=ben).values_list("action", flat=True)
    assert set(actions) == {"accounts.user.create", "accounts.invitation.accept"}
    assert NEW not in str(list(AuditEntry.objects.values()))
    assert client.post("/account/sign-in", {"username": "ben", "password": NEW}).status_code == 302


@pytest.mark.usefixtures("by_invitation")
@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "admin"}, "username"),
        ({"username": "ADMIN"}, "username"),
        ({"username": "a\u202eb"}, "username"),
        ({"name": "a\x07"}, "name"),
        ({"password": "short", "again": "short"}, "password"),
        ({"password": "password1234", "again": "password1234"}, "password"),
        (dict.fromkeys(("username", "password", "again"), "benjamin-ito"), "password"),
        ({"again": "another one, not the same"}, "again"),
        ({"password": "x" * 5000, "again": "x" * 5000}, "password"),
    ],
)  # fmt: skip
def test_bad_input_leaves_the_invitation_open(
    client: Client, admin: Any, typed: dict[str, str], field: str
) -> None:
    _invitation, key = invite(admin)
    answer = client.post(f"/invitation/{key}", BEN | typed)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert NEW not in answer.content.decode()
    assert User.objects.count() == 1
    assert invitations_open().count() == 1


@pytest.mark.usefixtures("by_invitation")
@pytest.mark.parametrize(
    "why", ["used", "revoked", "expired", "disabled", "demoted", "off", "unknown"]
)
def test_every_link_that_does_not_work_looks_the_same(client: Client, admin: Any, why: str) -> None:
    other = make_user("other", Role.ADMIN)
    invitation, key = invite(admin)
    if why == "used":
        invitation_accept(key=key, facts=PersonFacts("eve", "", ""), password=NEW)
    elif why == "revoked":
        invitation_revoke(actor=admin, invitation=invitation)
    elif why == "expired":
        Invitation.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=2))
    elif why == "disabled":
        standing.person_disable(actor=other, user=admin, reason="x")
    elif why == "demoted":
        people.grants_set(actor=other, user=admin, grants={None: Role.OPERATOR})
    elif why == "off":
        AccessPolicy.objects.update(registration=Registration.OFF)
    else:
        key = "unknown"
    number = User.objects.count()

    answers = [client.get(f"/invitation/{key}"), client.post(f"/invitation/{key}", BEN)]

    gone = client.get("/invitation/never-made")
    for answer in answers:
        assert answer.status_code == 404
        assert len(answer.content) == len(gone.content)
        assert "This link does not work" in answer.content.decode()
    assert User.objects.count() == number
    with pytest.raises(ObjectDoesNotExist):
        invitation_accept(key=key, facts=PersonFacts("late", "", ""), password=NEW)


@pytest.mark.parametrize("key", ["a" * 5000, "%00", "ü", "..", "1", "'--", "%F0%9F%98%80"])
def test_hostile_keys_find_nothing(client: Client, key: str) -> None:
    for path in ("/invitation/", "/account/new-password/"):
        assert client.get(path + key).status_code == 404
        assert client.post(path + key, BEN).status_code == 404


@pytest.mark.usefixtures("by_invitation")
def test_an_invitation_is_taken_back_once(client: Client, admin: Any) -> None:
    invitation, _key = invite(admin)
    client.force_login(admin)
    for _ in range(2):
        answer = client.post(f"/people/invitations/{invitation.pk}/revoke")
        assert answer["Location"] == "/people/invitations"
    assert AuditEntry.objects.filter(action="accounts.invitation.revoke").count() == 1


@pytest.mark.usefixtures("by_invitation")
def test_what_was_used_is_not_taken_back(admin: Any) -> None:
    invitation, key = invite(admin)
    invitation_accept(key=key, facts=PersonFacts("ben", "", ""), password=NEW)
    with pytest.raises(ValidationError, match="It was used"):
        invitation_revoke(actor=admin, invitation=invitation)


@pytest.mark.usefixtures("by_invitation")
def test_a_cluster_that_is_gone_gives_nothing(admin: Any) -> None:
    cluster = make_cluster("soon-gone")
    _invitation, key = invite(admin, role=Role.USER, is_everywhere=False, clusters=[cluster])
    cluster.delete()
    ben = invitation_accept(key=key, facts=PersonFacts("ben", "", ""), password=NEW)
    assert grants_told(ben) == {}


@pytest.mark.django_db(transaction=True)
def test_of_many_who_accept_at_once_one_wins() -> None:
    admin = make_user("boss", Role.ADMIN)
    AccessPolicy.objects.update_or_create(pk=1, defaults={"registration": Registration.INVITATION})
    _invitation, key = invite(admin)

    def accept(name: str) -> Any:
        facts = PersonFacts(name, "", "")
        return lambda: invitation_accept(key=key, facts=facts, password=NEW)

    assert ends_of(side_by_side(*map(accept, ["a", "b", "c", "d"]))) == ["DoesNotExist"] * 3 + [
        "done"
    ]
    assert User.objects.count() == 2
    connection.close()


# -------------------------------------------------------------------- password links


def test_a_link_sets_the_password_once(client: Client, admin: Any) -> None:
    anna = make_user("anna", must_change_password=True)
    hers = Client()
    hers.force_login(anna)
    client.force_login(admin)
    answer = client.post(f"/people/{anna.pk}/link", {"reason": "forgot it"})
    assert "no-store" in answer["Cache-Control"]
    path = answer.context["url"].removeprefix("http://testserver")
    assert hers.get("/servers/").status_code == 302
    typed = {"username": "anna", "password": PASSWORD}
    assert Client().post("/account/sign-in", typed).status_code == 422

    visitor = Client()
    page = visitor.get(path)
    assert (page.status_code, page["Referrer-Policy"]) == (200, "same-origin")
    new = {"password": NEW, "again": NEW}
    assert visitor.post(path, new)["Location"] == "/account/sign-in"

    anna.refresh_from_db()
    assert anna.check_password(NEW)
    assert not anna.must_change_password
    assert visitor.get(path).status_code == visitor.post(path, new).status_code == 404
    used = AuditEntry.objects.get(action="accounts.user.use_link")
    assert used.actor == anna
    key = path.rpartition("/")[2]
    assert key.partition(".")[2] not in str(list(AuditEntry.objects.values()))


def test_a_new_link_ends_the_one_before(admin: Any) -> None:
    anna = make_user("anna")
    first = password_link_create(actor=admin, user=anna)
    second = password_link_create(actor=admin, user=anna)
    assert password_link_person(first) is None
    assert password_link_person(second) == anna


def test_a_link_dies_after_three_days(admin: Any) -> None:
    anna = make_user("anna")
    key = password_link_create(actor=admin, user=anna)
    with time_machine.travel(timezone.now() + dt.timedelta(days=3, minutes=1), tick=False):
        assert password_link_person(key) is None


def test_a_link_dies_with_the_account(admin: Any) -> None:
    anna = make_user("anna")
    key = password_link_create(actor=admin, user=anna)
    standing.person_disable(actor=admin, user=anna, reason="x")
    assert password_link_person(key) is None
    standing.person_enable(actor=admin, user=anna, reason="x")
    assert password_link_person(key) is None  # enabled again, not the link


def test_a_disabled_person_gets_no_link(client: Client, admin: Any) -> None:
    anna = make_user("anna", is_active=False)
    client.force_login(admin)
    answer = client.post(f"/people/{anna.pk}/link", {})
    assert answer.status_code == 422
    assert "A link would not work" in answer.content.decode()


def test_a_link_of_one_is_no_link_of_another(admin: Any) -> None:
    anna, ben = make_user("anna"), make_user("ben")
    key = password_link_create(actor=admin, user=anna)
    assert password_link_person(f"{ben.pk}.{key.partition('.')[2]}") is None
    assert password_link_person(f"{anna.pk}.{key.partition('.')[2]}x") is None


@pytest.mark.parametrize("typed", [("short", "short"), (NEW, "other"), ("", ""), ("anna" * 3,) * 2])
def test_a_bad_password_leaves_the_link(client: Client, admin: Any, typed: tuple[str, str]) -> None:
    anna = make_user("annaannaanna")
    key = password_link_create(actor=admin, user=anna)
    path = f"/account/new-password/{key}"
    answer = client.post(path, {"password": typed[0], "again": typed[1]})
    assert answer.status_code == 422
    assert client.get(path).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_a_link_at_once_one_wins() -> None:
    admin, anna = make_user("boss", Role.ADMIN), make_user("anna")
    key = password_link_create(actor=admin, user=anna)

    def use(password: str) -> Any:
        return lambda: password_link_use(key=key, password=password)

    assert ends_of(side_by_side(use(NEW), use(NEW + "!"))) == ["ObjectDoesNotExist", "done"]
    connection.close()


def test_forms_of_links_need_the_token(admin: Any) -> None:
    key = password_link_create(actor=admin, user=make_user("anna"))
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(f"/account/new-password/{key}", {"password": NEW, "again": NEW})
    assert answer.status_code == 403
