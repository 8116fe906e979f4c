"""One's own account, and pages in one's own language and time zone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone, translation

from apps.accounts.forms.profile import time_zones
from apps.accounts.models import AccessPolicy, User
from apps.accounts.selectors import zone_named
from apps.accounts.services.policy import policy_update
from apps.accounts.words import LANGUAGES
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.core.stale import StaleObject
from apps.core.templatetags.portal import clock, since, zone_minutes
from apps.core.testing import make_cluster, make_server, make_user
from apps.inventory.live import ROW, Key, fragments_render, language_of

pytestmark = pytest.mark.django_db
SAID = {"name": "Anna Berg", "email": "a@example.org", "language": "", "time_zone": "", "theme": ""}


@pytest.fixture
def anna(client: Client) -> User:
    anna = make_user("anna", Role.READONLY)
    client.force_login(anna)
    return anna


@pytest.fixture(autouse=True)
def english() -> Any:
    with translation.override("en"):
        yield


def test_one_s_own_account_is_saved_and_told(client: Client, anna: User) -> None:
    typed = SAID | {"language": "en", "time_zone": "asia/shanghai", "theme": "dark", "version": 1}
    answer = client.post("/account/", typed)

    assert answer["Location"] == "/account/"
    anna.refresh_from_db()
    assert (str(anna), anna.email, anna.language) == ("Anna Berg", "a@example.org", "en")
    assert (anna.time_zone, anna.theme, anna.version) == ("Asia/Shanghai", "dark", 2)
    told = AuditEntry.objects.get()
    assert (told.action, told.actor) == ("accounts.user.profile", anna)
    assert client.post("/account/", typed | {"version": 2}).status_code == 303
    assert AuditEntry.objects.count() == 1  # the same again is no change


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": "x" * 151}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"email": "x"}, "email"),
        ({"language": "tlh"}, "language"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "/etc/localtime"}, "time_zone"),
        ({"time_zone": "x" * 65}, "time_zone"),
        ({"time_zone": "Europe/Ber\x00lin"}, "time_zone"),
        ({"theme": "neon"}, "theme"),
    ],
)
def test_bad_settings_are_told(
    client: Client, anna: User, typed: dict[str, str], field: str
) -> None:
    answer = client.post("/account/", SAID | typed, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not AuditEntry.objects.exists()


def test_rights_are_not_changed_there(client: Client, anna: User) -> None:
    client.post("/account/", SAID | {"is_staff": "1", "username": "root", "everywhere": "admin"})
    anna.refresh_from_db()
    assert (anna.username, anna.is_staff, anna.is_superuser) == ("anna", False, False)
    assert anna.grants.get().role == Role.READONLY


def test_what_an_admin_saved_meanwhile_is_not_lost(client: Client, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(email="new@example.org", version=2)
    answer = client.post("/account/", SAID | {"version": 1})
    assert answer.status_code == 409
    assert "new@example.org" in answer.content.decode()


# -------------------------------------------------------------------- language


def test_pages_speak_the_person_s_language(client: Client, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(language="zh-hans")
    answer = client.get("/clusters/", headers={"Accept-Language": "en"})
    assert '<html lang="zh-hans"' in answer.content.decode()
    assert answer["Content-Language"] == "zh-hans"
    client.logout()
    assert '<html lang="en"' in client.get("/account/sign-in").content.decode()


def test_the_language_menu_is_remembered_with_the_person(client: Client, anna: User) -> None:
    answer = client.post("/language/", {"language": "zh-hans", "next": "/clusters/"})
    assert answer["Location"] == "/clusters/"
    anna.refresh_from_db()
    assert anna.language == "zh-hans"
    client.post("/language/", {"language": "tlh", "next": "//evil.example"})
    anna.refresh_from_db()
    assert anna.language == "zh-hans"


def test_strangers_choose_a_language_for_their_browser(client: Client) -> None:
    answer = client.post("/language/", {"language": "zh-hans", "next": "/account/sign-in"})
    assert answer.cookies["django_language"].value == "zh-hans"
    assert not User.objects.exists()


def test_every_language_of_the_portal_is_offered(settings: Any) -> None:
    assert set(LANGUAGES) == {code for code, _name in settings.LANGUAGES}


# -------------------------------------------------------------------- time zone


@pytest.mark.parametrize(
    ("zone", "text", "start"),
    [
        ("", "11:59:00 UTC", "since 11:59"),
        ("Asia/Shanghai", "19:59:00 UTC+8", "since 19:59"),
        ("Asia/Kolkata", "17:29:00 UTC+5:30", "since 17:29"),
        ("America/St_Johns", "08:29:00 UTC-3:30", "since 08:29"),
    ],
)
def test_times_are_those_of_the_reader(zone: str, text: str, start: str) -> None:
    at = dt.datetime(2026, 11, 23, 11, 59, tzinfo=dt.UTC)
    with time_machine.travel(at, tick=False), timezone.override(zone_named(zone)):
        assert f">{text}<" in clock(at)
        assert f">{start}<" in since(at)
        assert 'datetime="2026-11-23T11:59:00+00:00"' in clock(at)


def test_the_day_turns_where_the_reader_is() -> None:
    at = dt.datetime(2026, 11, 23, 15, 30, tzinfo=dt.UTC)
    with time_machine.travel(at + dt.timedelta(hours=1), tick=False):
        assert ">15:30:00 UTC<" in clock(at)
        with timezone.override(zone_named("Asia/Shanghai")):  # half past midnight there
            assert ">2026-11-23 23:30:00 UTC+8<" in clock(at)
            assert zone_minutes() == 480


def test_pages_show_the_person_s_time(client: Client, anna: User, admin: Any) -> None:
    User.objects.filter(pk=admin.pk).update(time_zone="Asia/Kolkata")
    client.force_login(admin)
    page = client.get(f"/people/{anna.pk}/").content.decode()
    assert "UTC+5:30</time>" in page
    assert 'data-zone="330"' in page
    client.force_login(anna)
    assert 'data-zone="0"' in client.get("/clusters/").content.decode()


def test_a_zone_that_this_machine_lacks_is_utc(client: Client, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(time_zone="Gone/Zone")
    assert 'data-zone="0"' in client.get("/clusters/").content.decode()
    assert zone_named("../../etc/passwd") is None


def test_fragments_of_one_server_are_told_apart_by_zone() -> None:
    now = timezone.now()
    server = make_server(
        cluster=make_cluster("web"), status={"fault": "unreachable", "fault_at": now}
    )
    keys = [Key(ROW, server.pk, "en", ("name", "power"), zone) for zone in ("", "Asia/Kolkata")]
    found = fragments_render(keys)
    assert "UTC+5:30" in found[keys[1]]
    assert "UTC+5:30" not in found[keys[0]]


def test_the_socket_follows_the_person_before_the_browser(anna: User) -> None:
    scope = {"cookies": {}, "headers": [(b"accept-language", b"en")]}
    assert language_of(scope, anna) == "en"
    anna.language = "zh-hans"
    assert language_of(scope, anna) == "zh-hans"
    assert language_of(scope, None) == "en"


def test_the_offered_zones_are_all_usable() -> None:
    assert "Europe/Berlin" in time_zones()
    assert all(zone_named(name) for name in time_zones())
    assert max(map(len, time_zones())) <= 64


# -------------------------------------------------------------------- the access policy


def test_the_policy_is_saved_and_told(client: Client, admin: Any, operator: Any) -> None:
    client.force_login(admin)
    page = client.get("/people/policy").content.decode()
    assert "Operators and admins: 2 people, 2 have none yet" in page
    assert "You have none yourself" in page

    typed = {"second_factor_from": "operator", "registration": "invitation", "version": 1}
    assert client.post("/people/policy", typed)["Location"] == "/people/policy"

    policy = AccessPolicy.objects.get()
    assert (policy.second_factor_from, policy.registration) == ("operator", "invitation")
    told = AuditEntry.objects.get()
    assert told.before == {"second_factor_from": "", "registration": "off"}
    # The policy counts for whoever made it too: nothing else before there is a second factor.
    assert client.get("/people/policy/history")["Location"] == "/account/security"
    Authenticator.objects.create(user=admin, type=Authenticator.Type.TOTP, data={})
    history = client.get("/people/policy/history").content.decode()
    assert "changed the access policy" in history
    assert "Operator" in history


@pytest.mark.parametrize(
    "typed",
    [
        {"second_factor_from": "king"},
        {"registration": ""},
        {"registration": "open"},
        {"version": 0},
    ],
)
def test_what_is_no_policy(client: Client, admin: Any, typed: dict[str, Any]) -> None:
    client.force_login(admin)
    known = {"second_factor_from": "", "registration": "off"}
    assert client.post("/people/policy", known | typed).status_code == 422
    assert not AuditEntry.objects.exists()


def test_two_admins_do_not_overwrite_each_other_s_policy(client: Client, admin: Any) -> None:
    Authenticator.objects.create(user=admin, type=Authenticator.Type.TOTP, data={})
    policy_update(actor=admin, second_factor_from="admin", registration="off", expected_version=1)
    with pytest.raises(StaleObject):
        policy_update(actor=admin, second_factor_from="", registration="off", expected_version=1)
    client.force_login(admin)
    typed = {"second_factor_from": "user", "registration": "off", "version": 1}
    answer = client.post("/people/policy", typed, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert AccessPolicy.objects.get().second_factor_from == "admin"
