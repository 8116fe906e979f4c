"""People: the list, their page, and what admins change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import AccessPolicy, User
from apps.accounts.selectors import people_counts, people_found
from apps.accounts.services import api_token_create, people, standing
from apps.accounts.services.people import Grants, PersonFacts, grants_told
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core import events
from apps.core.testing import PASSWORD, ends_of, make_cluster, make_user, side_by_side

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def anna(db: None) -> User:
    return make_user("anna", first_name="Anna Berg", email="anna@example.org")


@pytest.fixture
def boss(client: Client, admin: Any) -> Client:
    client.force_login(admin)
    return client


def names(answer: Any) -> list[str]:
    return [row.user.username for row in answer.context["rows"]]


def url(name: str, person: User) -> str:
    return reverse(f"accounts:user_{name}", args=[person.pk])


# -------------------------------------------------------------------- the list


def test_the_list_says_who_is_there_in_words(boss: Client, anna: User, operator: Any) -> None:
    RoleGrant.objects.create(user=anna, role=Role.READONLY)
    RoleGrant.objects.create(user=anna, role=Role.USER, cluster=make_cluster("db"))
    make_user("gone", is_active=False)

    page = boss.get("/people/").content.decode()

    assert "4 people" in page
    assert "1 disabled" in page
    assert "1 admin<" in page
    for words in ("Admin everywhere", "Read only everywhere", "User in db", "Operator in web"):
        assert words in page
    assert "No role" in page
    assert "Never" in page


def test_many_clusters_are_counted(boss: Client, anna: User) -> None:
    for number in range(5):
        cluster = make_cluster(f"c{number}")
        RoleGrant.objects.create(user=anna, role=Role.USER, cluster=cluster)
    assert "User in c0, c1, c2 and 2 more" in boss.get("/people/").content.decode()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "BERG"}, ["anna"]),
        ({"q": "anna@ex"}, ["anna"]),
        ({"q": "oper"}, ["operator"]),
        ({"role": "operator"}, ["operator", "outsider"]),
        ({"role": "none"}, ["anna", "gone"]),
        ({"state": "disabled"}, ["gone"]),
        ({"state": "must_change"}, ["outsider"]),
        ({"state": "no_factor", "q": "r"}, ["anna", "operator"]),
        ({"state": "active", "role": "none"}, ["anna"]),
        ({"q": "nobody-like-this"}, []),
        ({"role": "king"}, []),
        ({"state": "lost"}, []),
        ({"cluster": "999999"}, []),
        ({"cluster": "x' or 1=1"}, []),
        ({"q": "x" * 151}, []),
    ],
)
def test_the_list_finds(
    boss: Client, anna: User, operator: Any, outsider: Any, asked: dict[str, str], found: list[str]
) -> None:
    make_user("gone", is_active=False)
    User.objects.filter(pk=outsider.pk).update(must_change_password=True)
    Authenticator.objects.create(user=outsider, type=Authenticator.Type.TOTP, data={})

    answer = boss.get("/people/", asked, headers=HTMX)

    assert (answer.status_code, names(answer)) == (200, found)


def test_a_cluster_is_reached_from_everywhere_too(
    boss: Client, web: Any, operator: Any, outsider: Any
) -> None:
    assert names(boss.get("/people/", {"cluster": web.pk})) == ["admin", "operator"]
    assert names(boss.get("/people/", {"cluster": web.pk, "role": "operator"})) == ["operator"]


def test_the_second_factor_is_needed_where_policy_says_so(
    boss: Client, admin: Any, operator: Any, outsider: Any, user: Any
) -> None:
    AccessPolicy.objects.create(pk=1, second_factor_from=Role.OPERATOR)
    Authenticator.objects.create(user=admin, type=Authenticator.Type.TOTP, data={})
    Authenticator.objects.create(user=operator, type=Authenticator.Type.WEBAUTHN, data={})
    Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data={})

    assert names(boss.get("/people/", {"state": "factor_needed"})) == ["outsider"]
    assert people_counts().factor_needed == 1
    rows = {row.user.username: row.factor for row in boss.get("/people/").context["rows"]}
    assert rows == {"admin": "yes", "operator": "yes", "outsider": "needed", "user": "no"}


@pytest.mark.parametrize(
    ("sort", "order"),
    [("name", ["admin", "anna", "ben"]), ("-name", ["ben", "anna", "admin"]), ("", None)],
)
def test_the_list_is_sorted(boss: Client, anna: User, sort: str, order: list[str] | None) -> None:
    make_user("ben")
    assert names(boss.get("/people/", {"sort": sort})) == (order or ["admin", "anna", "ben"])


def test_who_never_came_is_last_or_first(boss: Client, anna: User) -> None:
    assert names(boss.get("/people/", {"sort": "-last_login"})) == ["admin", "anna"]
    assert names(boss.get("/people/", {"sort": "last_login"})) == ["anna", "admin"]


def test_nobody_matches_is_said(boss: Client) -> None:
    page = boss.get("/people/", {"q": "zzz"}).content.decode()
    assert "Nobody matches" in page
    assert "Nothing is shown" in boss.get("/people/", {"role": "king"}).content.decode()


def test_a_page_has_a_hundred_people_and_few_queries(
    boss: Client, admin: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    clusters = [make_cluster(f"c{number}") for number in range(3)]
    fresh = User.objects.bulk_create(
        [User(username=f"p{number:03}", password="!") for number in range(130)]
    )
    RoleGrant.objects.bulk_create(
        RoleGrant(user=one, role=Role.USER, cluster=cluster)
        for one in fresh
        for cluster in clusters
    )
    # Session, person, right; policy twice, counts, clusters; count, rows, grants with clusters
    with django_assert_num_queries(10):
        answer = boss.get("/people/")
    assert len(answer.context["rows"]) == 100
    assert len(names(boss.get("/people/", {"page": 2}))) == 31


# -------------------------------------------------------------------- one person


def test_the_page_of_a_person(boss: Client, anna: User) -> None:
    Authenticator.objects.create(user=anna, type=Authenticator.Type.TOTP, data={"secret": "SEED"})
    page = boss.get(url("detail", anna)).content.decode()
    for words in ("Anna Berg", "anna@example.org", "Authenticator app", "0 sessions open"):
        assert words in page
    assert "SEED" not in page
    assert anna.password not in page


def test_admins_do_nothing_to_themselves_here(boss: Client, admin: Any) -> None:
    page = boss.get(url("detail", admin)).content.decode()
    assert "This is you" in page
    for name in ("disable", "sign_out", "link"):
        assert f'id="act-{name}"' not in page


def test_a_person_is_added_with_a_link_and_without_a_password(
    boss: Client, admin: Any, web: Any
) -> None:
    typed = {
        "name": "Ben Ito", "username": "ben", "email": "ben@example.org",
        "role": "operator", "where": "clusters", "clusters": [web.pk],
    }  # fmt: skip
    answer = boss.post("/people/new", typed)

    ben = User.objects.get(username="ben")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert f"http://testserver/account/new-password/{ben.pk}." in answer.content.decode()
    assert not ben.has_usable_password()
    assert (str(ben), grants_told(ben)) == ("Ben Ito", {"web": "operator"})
    made = AuditEntry.objects.get(action="accounts.user.create")
    assert (made.actor, made.object_id) == (admin, str(ben.pk))
    assert made.after == {
        "username": "ben", "name": "Ben Ito", "email": "ben@example.org",
        "grants": {"web": "operator"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "a\u202eb"}, "username"),
        ({"username": "a\x00b"}, "username"),
        ({"username": "ADMIN"}, "username"),
        ({"username": "<script>"}, "username"),
        ({"name": "x" * 151}, "name"),
        ({"name": "Ben\u202enimda"}, "name"),
        ({"name": "Ben\nIto"}, "name"),
        ({"name": "a\u200bb"}, "name"),
        ({"email": "no address"}, "email"),
        ({"email": "x@" + "y" * 300 + ".org"}, "email"),
        ({"role": "king"}, "role"),
        ({"role": "admin", "where": "clusters"}, "role"),
        ({"role": "user", "where": "clusters"}, "clusters"),
        ({"role": "user", "where": "clusters", "clusters": ["999999"]}, "clusters"),
        ({"role": "user", "where": "clusters", "clusters": ["x"]}, "clusters"),
        ({"role": "user", "where": "nowhere"}, "where"),
    ],
)
def test_what_makes_no_person(boss: Client, typed: dict[str, Any], field: str) -> None:
    answer = boss.post("/people/new", {"username": "ben", "where": "everywhere"} | typed)

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert User.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_the_service_refuses_what_the_form_would(admin: Any) -> None:
    for facts in (
        PersonFacts("a b", "", ""),
        PersonFacts("Admin", "", ""),
        PersonFacts("ben", "x\u202e", ""),
        PersonFacts("ben", "", "no address"),
        PersonFacts("ben", "x" * 151, ""),
    ):
        with pytest.raises(ValidationError):
            people.person_create(actor=admin, facts=facts, grants={})
    assert User.objects.count() == 1


def test_a_name_is_text_and_never_markup(boss: Client, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(first_name="<img src=x onerror=alert(1)>")
    for path in ("/people/", url("detail", anna), url("disable", anna), url("grants", anna)):
        page = boss.get(path).content.decode()
        assert "<img" not in page
        assert "&lt;img" in page


def test_facts_are_changed_and_told(boss: Client, admin: Any, anna: User) -> None:
    typed = {"name": "Anna Ito", "username": "anna.ito", "email": "", "version": 1}
    assert boss.post(url("edit", anna), typed)["Location"] == url("detail", anna)

    anna.refresh_from_db()
    assert (str(anna), anna.username, anna.email, anna.version) == ("Anna Ito", "anna.ito", "", 2)
    told = AuditEntry.objects.get(action="accounts.user.update")
    assert told.before == {
        "username": "anna", "name": "Anna Berg", "email": "anna@example.org",
    }  # fmt: skip
    history = boss.get(url("history", anna)).content.decode()
    assert "changed this person" in history
    assert "Anna Ito" in history


def test_nobody_saves_over_what_they_have_not_seen(boss: Client, admin: Any, anna: User) -> None:
    people.person_update(actor=admin, user=anna, facts=PersonFacts("anna", "Anna New", ""))

    answer = boss.post(url("edit", anna), {"name": "Mine", "username": "anna", "version": 1})

    assert answer.status_code == 409
    assert "Anna New" in answer.content.decode()
    assert str(User.objects.get(pk=anna.pk)) == "Anna New"


def test_a_first_and_a_last_name_stay_two_while_nobody_changes_them(admin: Any, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(first_name="Anna", last_name="Berg")
    people.person_update(actor=admin, user=anna, facts=PersonFacts("ann", "Anna Berg", ""))
    anna.refresh_from_db()
    assert (anna.first_name, anna.last_name, anna.username) == ("Anna", "Berg", "ann")


# -------------------------------------------------------------------- roles


def test_roles_are_given_and_taken_and_count_at_once(
    boss: Client, admin: Any, anna: User, web: Any
) -> None:
    db = make_cluster("db")
    hers = Client()
    hers.force_login(anna)
    assert "web" not in hers.get("/clusters/").content.decode()

    typed = {"everywhere": "", f"cluster_{web.pk}": "operator", f"cluster_{db.pk}": "user"}
    answer = boss.post(url("grants", anna), typed | {"reason": "OPS-7", "version": 1})
    assert answer["Location"] == url("detail", anna)
    assert "web" in hers.get("/clusters/").content.decode()

    boss.post(url("grants", anna), {"everywhere": "", f"cluster_{db.pk}": "readonly"})
    assert grants_told(anna) == {"db": "readonly"}
    first, second = AuditEntry.objects.filter(action="accounts.grants.update").order_by("pk")
    assert (first.before, first.reason) == ({"grants": {}}, "OPS-7")
    assert second.before == first.after == {"grants": {"web": "operator", "db": "user"}}
    assert second.after == {"grants": {"db": "readonly"}}
    assert "Role in web" in boss.get(url("history", anna)).content.decode()


def test_an_admin_is_made_and_unmade(admin: Any, anna: User) -> None:
    people.grants_set(actor=admin, user=anna, grants={None: Role.ADMIN})
    anna.refresh_from_db()
    assert anna.is_staff
    people.grants_set(actor=admin, user=anna, grants={})
    anna.refresh_from_db()
    assert not anna.is_staff


def test_the_same_roles_again_are_no_change(admin: Any, anna: User) -> None:
    people.grants_set(actor=admin, user=anna, grants={})
    assert not AuditEntry.objects.exists()
    assert User.objects.get(pk=anna.pk).version == 1


@pytest.mark.parametrize(
    "typed", [{"everywhere": "king"}, {"cluster": "admin"}, {"reason": "x" * 501}]
)
def test_what_gives_no_role(boss: Client, anna: User, web: Any, typed: dict[str, str]) -> None:
    if "cluster" in typed:
        typed = {f"cluster_{web.pk}": typed["cluster"]}
    assert boss.post(url("grants", anna), typed).status_code == 422
    assert grants_told(anna) == {}


def test_roles_saved_meanwhile_are_shown(boss: Client, admin: Any, anna: User, web: Any) -> None:
    people.grants_set(actor=admin, user=anna, grants={web.pk: Role.USER})

    answer = boss.post(url("grants", anna), {"everywhere": "operator", "version": 1}, headers=HTMX)

    assert answer.status_code == 409
    assert "Role in web" in answer.content.decode()
    assert grants_told(anna) == {"web": "user"}


def test_hundreds_of_clusters_fit_in_the_form(boss: Client, anna: User) -> None:
    clusters = [make_cluster(f"c{number:03}") for number in range(400)]
    typed = {f"cluster_{cluster.pk}": "user" for cluster in clusters}
    assert boss.post(url("grants", anna), typed).status_code == 303
    assert anna.grants.count() == 400


# -------------------------------------------------------------------- the last admin


def test_admins_end_neither_themselves_nor_the_last_one(boss: Client, admin: Any) -> None:
    only = "You are the only admin"
    with pytest.raises(ValidationError, match=only):
        standing.person_disable(actor=admin, user=admin, reason="x")
    with pytest.raises(ValidationError, match=only):
        people.grants_set(actor=admin, user=admin, grants={None: Role.OPERATOR})
    make_user("other", Role.ADMIN)
    with pytest.raises(ValidationError, match="nobody ends their own access"):
        standing.person_disable(actor=admin, user=admin, reason="x")

    answer = boss.post(url("grants", admin), {"everywhere": "operator"})
    assert answer.status_code == 422
    assert "nobody ends their own access" in answer.content.decode()
    assert boss.post(url("disable", admin), {"reason": "x"}).status_code == 422
    admin.refresh_from_db()
    assert (admin.is_active, grants_told(admin)) == (True, {"*": "admin"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["demote", "disable"])
def test_of_two_admins_who_end_each_other_one_stays(how: str) -> None:
    one, two = make_user("one", Role.ADMIN), make_user("two", Role.ADMIN)
    none: Grants = {}

    def end(actor: User, target: User) -> Callable[[], Any]:
        if how == "demote":
            return lambda: people.grants_set(actor=actor, user=target, grants=none)
        return lambda: standing.person_disable(actor=actor, user=target, reason="x")

    assert ends_of(side_by_side(end(one, two), end(two, one))) == ["PermissionDenied", "done"]
    left = RoleGrant.objects.filter(role=Role.ADMIN, user__is_active=True)
    assert left.count() == 1
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_the_same_version_one_is_told() -> None:
    boss, anna = make_user("boss", Role.ADMIN), make_user("anna")

    def save(role: Role) -> Callable[[], Any]:
        given: Grants = {None: role}
        return lambda: people.grants_set(actor=boss, user=anna, grants=given, expected_version=1)

    assert ends_of(side_by_side(save(Role.USER), save(Role.OPERATOR))) == ["StaleObject", "done"]
    connection.close()


# -------------------------------------------------------------------- disable, sign out, factors


def test_disabled_is_out_at_once_and_comes_back(boss: Client, admin: Any, anna: User) -> None:
    hers = Client()
    hers.force_login(anna)
    assert hers.get("/servers/").status_code == 200

    answer = boss.post(url("disable", anna), {"reason": "left", "version": 1}, headers=HTMX)
    assert answer["HX-Redirect"] == url("detail", anna)
    assert hers.get("/servers/").status_code == 302
    told = AuditEntry.objects.get(action="accounts.user.disable")
    assert (told.reason, told.before, told.after) == (
        "left", {"is_active": True}, {"is_active": False},
    )  # fmt: skip

    boss.post(url("enable", anna), {"reason": "back"})
    assert hers.get("/servers/").status_code == 302  # the session is gone for good
    typed = {"username": "anna", "password": PASSWORD}
    assert hers.post(reverse("accounts:sign_in"), typed).status_code == 302
    assert hers.get("/servers/").status_code == 200


def test_disabling_twice_is_one_entry(admin: Any, anna: User) -> None:
    for _ in range(2):
        standing.person_disable(actor=admin, user=anna, reason="x")
    assert AuditEntry.objects.filter(action="accounts.user.disable").count() == 1


@pytest.mark.parametrize("name", ["disable", "enable", "remove_factor"])
@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\u202eb"])
def test_a_reason_is_asked_for(boss: Client, anna: User, name: str, reason: str) -> None:
    answer = boss.post(url(name, anna), {"reason": reason}, headers=HTMX)
    assert answer.status_code == 422
    assert "<dialog" in answer.content.decode()
    assert not AuditEntry.objects.exists()


def test_what_changed_while_the_question_was_open_is_told(
    boss: Client, admin: Any, anna: User
) -> None:
    people.grants_set(actor=admin, user=anna, grants={None: Role.OPERATOR})
    answer = boss.post(url("disable", anna), {"reason": "x", "version": 1})
    assert answer.status_code == 409
    assert "Nothing was done" in answer.content.decode()
    assert User.objects.get(pk=anna.pk).is_active


def test_a_new_password_is_asked_for(boss: Client, anna: User) -> None:
    boss.post(url("ask_password", anna), {})
    anna.refresh_from_db()
    assert anna.must_change_password
    assert "Has to be changed" in boss.get(url("detail", anna)).content.decode()


def test_sign_out_everywhere(boss: Client, anna: User, operator: Any) -> None:
    token = api_token_create(user=anna, days=1)
    hers, his = Client(), Client()
    hers.force_login(anna)
    his.force_login(operator)

    boss.post(url("sign_out", anna), {"reason": "lost laptop"})
    assert hers.get("/servers/").status_code == 302
    assert his.get("/servers/").status_code == 200
    api = {"Authorization": f"Token {token}"}
    assert Client().get("/api/clusters/", headers=api).status_code == 200

    boss.post(url("sign_out", anna), {"with_tokens": "on"})
    assert Client().get("/api/clusters/", headers=api).status_code == 401
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == [
        "accounts.api_token.create", "accounts.user.sign_out",
        "accounts.user.sign_out", "accounts.api_token.revoke",
    ]  # fmt: skip


def test_the_second_factor_is_removed_with_its_codes(boss: Client, anna: User) -> None:
    for kind in (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES):
        Authenticator.objects.create(user=anna, type=kind, data={"secret": "hidden-seed"})

    boss.post(url("remove_factor", anna), {"reason": "phone lost"})

    assert not Authenticator.objects.filter(user=anna).exists()
    told = AuditEntry.objects.get(action="accounts.user.remove_factor")
    assert told.before == {"factors": ["recovery_codes", "totp"]}
    answer = boss.post(url("remove_factor", anna), {"reason": "again"})
    assert answer.status_code == 422
    assert "no second factor" in answer.content.decode()


def test_the_found_people_carry_what_the_page_needs(
    anna: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        found = list(people_found())
    with django_assert_num_queries(0):
        assert [list(one.grants.all()) for one in found] == [[]]


def test_sockets_look_again_when_roles_change(
    admin: Any,
    anna: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(events, "_send", lambda *args: sent.append(args))
    with django_capture_on_commit_callbacks(execute=True):
        people.grants_set(actor=admin, user=anna, grants={None: Role.USER})
        assert sent == []
    assert [args[0] for args in sent] == [events.person_group(anna.pk)]
