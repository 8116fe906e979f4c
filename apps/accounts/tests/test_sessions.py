"""Where somebody is signed in, and how it ends."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.agents import agent_words
from apps.accounts.models import ScriptSession, User
from apps.accounts.selectors import browser_sessions_of
from apps.accounts.services import access_end, bearer
from apps.accounts.services.sessions import MOST_REMEMBERED, Recently
from apps.accounts.tasks import sessions_forget
from apps.audit.models import AuditEntry
from apps.core.testing import PASSWORD, make_user

pytestmark = pytest.mark.django_db

PAGE = "/account/sessions"
NEW = "another long passphrase 7"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def browser(user: User, agent: str = FIREFOX, address: str = "10.1.2.3") -> Client:
    """Return a browser that has signed in and looked at a page once."""
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=address)
    client.force_login(user)
    UserSession.objects.filter(session_key=client.session.session_key).update(
        user_agent=agent, ip=address
    )
    return client


def is_in(client: Client) -> bool:
    return client.get(PAGE).status_code == HTTPStatus.OK


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    for path in (PAGE, "/account/tokens", "/account/tokens/add"):
        assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))
    assert client.post("/account/sessions/end-others").status_code == HTTPStatus.FOUND


def test_the_page_names_browsers_and_scripts_and_marks_this_one(operator: User) -> None:
    here, there = browser(operator), browser(operator, "curl/8", "2001:db8::7")
    bearer.script_session_start(user=operator, address="10.9.9.9")
    browser(make_user("somebody else"), address="10.7.7.7")

    page = here.get(PAGE).content.decode()

    for words in ("Firefox on Linux", "This one", "Another browser", "2001:db8::7", "Script"):
        assert words in page
    assert "10.9.9.9" in page
    assert "10.7.7.7" not in page
    assert page.count("This one") == 1
    assert str(here.session.session_key) not in page
    assert str(there.session.session_key) not in page


def test_what_a_browser_says_of_itself_is_not_repeated(operator: User) -> None:
    hostile = '<script>alert(1)</script>"\u202e\0' + "x" * 100_000
    client = Client(headers={"user-agent": hostile})
    client.force_login(operator)
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)):
        page = client.get(PAGE).content.decode()
    assert "Another browser" in page
    assert "alert(1)" not in page
    assert 100 < len(UserSession.objects.get().user_agent) <= 200


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) Version/18 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) CriOS/140", "Chrome on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140", "Chrome on Android"),
        ("", "Another browser"),
    ],
)
def test_browsers_have_short_names(agent: str, words: str) -> None:
    assert agent_words(agent) == words


def test_one_session_is_ended_and_the_others_go_on(operator: User) -> None:
    here, there, third = browser(operator), browser(operator), browser(operator)
    row = UserSession.objects.get(session_key=there.session.session_key)

    answer = here.post(f"{PAGE}/{row.pk}/end")

    assert (answer.status_code, answer["Location"]) == (HTTPStatus.SEE_OTHER, PAGE)
    assert (is_in(here), is_in(there), is_in(third)) == (True, False, True)
    assert AuditEntry.objects.get(action="accounts.session.end").actor == operator


def test_all_others_are_ended_scripts_too(operator: User, readonly: User) -> None:
    here, there, stranger = browser(operator), browser(operator), browser(readonly)
    bearer.script_session_start(user=operator, address=None)

    assert here.post(f"{PAGE}/end-others").status_code == HTTPStatus.SEE_OTHER

    assert (is_in(here), is_in(there), is_in(stranger)) == (True, False, True)
    assert not ScriptSession.objects.exists()
    assert AuditEntry.objects.get(action="accounts.session.end").after == {"sessions": 2}
    here.post(f"{PAGE}/end-others")
    assert AuditEntry.objects.filter(action="accounts.session.end").count() == 1


def test_sessions_of_others_are_not_there(operator: User, admin: User) -> None:
    theirs, stranger = browser(operator), browser(admin)
    bearer.script_session_start(user=operator, address=None)
    row = UserSession.objects.get(user=operator)

    assert stranger.post(f"{PAGE}/{row.pk}/end").status_code == HTTPStatus.NOT_FOUND
    script = ScriptSession.objects.get()
    answer = stranger.post(f"{PAGE}/scripts/{script.pk}/end")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert is_in(theirs)
    assert ScriptSession.objects.exists()
    assert theirs.post(f"{PAGE}/scripts/{script.pk}/end").status_code == HTTPStatus.SEE_OTHER
    assert not ScriptSession.objects.exists()


def test_ending_needs_a_post_with_its_token(operator: User) -> None:
    here = browser(operator)
    row = UserSession.objects.get()
    for path in (f"{PAGE}/{row.pk}/end", f"{PAGE}/end-others", f"{PAGE}/scripts/1/end"):
        assert here.get(path).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = here.cookies
    assert strict.post(f"{PAGE}/{row.pk}/end").status_code == HTTPStatus.FORBIDDEN
    assert is_in(here)


def test_when_it_was_last_seen_is_written_once_a_minute(
    operator: User, django_assert_max_num_queries: Any
) -> None:
    start = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with time_machine.travel(start, tick=False) as clock:
        here = browser(operator)
        clock.shift(30)
        with django_assert_max_num_queries(12) as told:
            here.get(PAGE)
        assert not [one for one in told.captured_queries if "UPDATE" in one["sql"]]
        clock.shift(31)
        here.get(PAGE, REMOTE_ADDR="10.5.5.5")
        row = UserSession.objects.get()
        assert (row.last_seen_at, row.ip) == (start + dt.timedelta(seconds=61), "10.5.5.5")


def test_a_session_whose_key_changed_is_known_by_the_new_one(operator: User) -> None:
    here = browser(operator)
    session = here.session
    session.cycle_key()
    here.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    assert is_in(here)
    assert "This one" in here.get(PAGE).content.decode()
    there = browser(operator)
    access_end(user=operator)
    assert (is_in(here), is_in(there)) == (False, False)
    assert not UserSession.objects.exists()


def test_signing_out_forgets_the_session(operator: User) -> None:
    here = browser(operator)
    here.post(reverse("accounts:sign_out"))
    assert not UserSession.objects.exists()
    assert not Session.objects.filter(session_key=here.session.session_key).exists()


def test_sessions_that_are_over_are_not_listed_and_forgotten_at_the_next_sign_in(
    operator: User,
) -> None:
    old = browser(operator, address="10.6.6.6")
    Session.objects.update(expire_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    here = browser(operator)
    assert "10.6.6.6" not in here.get(PAGE).content.decode()
    assert UserSession.objects.count() == 1
    assert not is_in(old)


def test_access_ends_at_every_door_but_the_one_that_is_kept(operator: User, admin: User) -> None:
    kept, other, stranger = browser(operator), browser(operator), browser(admin)
    access = bearer.script_session_start(user=operator, address=None).access

    access_end(user=operator, keep_session=kept.session.session_key)

    assert (is_in(kept), is_in(other), is_in(stranger)) == (True, False, True)
    with pytest.raises(bearer.TokenRefused):
        bearer.access_token_check(token=access, address=None)
    access_end(user=operator)
    assert (is_in(kept), is_in(stranger)) == (False, True)
    assert {row.user_id for row in UserSession.objects.all()} == {admin.pk}


def test_the_memory_of_who_was_seen_is_bounded() -> None:
    memory = Recently()
    assert memory.add("a")
    assert not memory.add("a")
    for number in range(MOST_REMEMBERED + 5):
        memory.add(str(number))
    assert repr(memory) == "<Recently [6 remembered]>"
    assert memory.add("a")


def test_the_list_costs_the_same_however_long_it_is(
    operator: User, django_assert_max_num_queries: Any
) -> None:
    here = browser(operator)
    for _ in range(15):
        browser(operator)
        bearer.script_session_start(user=operator, address=None)
    with django_assert_max_num_queries(9):
        assert here.get(PAGE).content.decode().count("Script") >= 15


def test_what_is_over_is_forgotten_and_what_lives_stays(operator: User) -> None:
    over, live = browser(operator), browser(operator)
    dead = bearer.script_session_start(user=operator, address="10.9.9.9")
    alive = bearer.script_session_start(user=operator, address="10.9.9.8")
    past = timezone.now() - dt.timedelta(seconds=1)
    Session.objects.filter(session_key=over.session.session_key).update(expire_date=past)
    ScriptSession.objects.filter(address="10.9.9.9").update(expires_at=past)

    sessions_forget()
    sessions_forget()

    assert is_in(live)
    assert [row.session_key for row in UserSession.objects.all()] == [live.session.session_key]
    assert Session.objects.count() == 1
    assert dead != alive
    assert [str(row.address) for row in ScriptSession.objects.all()] == ["10.9.9.8"]


def test_a_new_password_leaves_no_session_behind_that_cannot_be_used(operator: User) -> None:
    here, there = browser(operator), browser(operator)
    bearer.script_session_start(user=operator, address="10.9.9.9")
    gone = there.session.session_key
    typed = {"password": PASSWORD, "new_password1": NEW, "new_password2": NEW}

    assert here.post(reverse("accounts:password_change"), typed).status_code == HTTPStatus.SEE_OTHER

    page = here.get(PAGE).content.decode()
    assert page.count("This one") == 1
    assert "10.9.9.9" not in page
    assert not ScriptSession.objects.exists()
    assert not Session.objects.filter(session_key=gone).exists()
    assert [row.session_key for row in browser_sessions_of(operator)] == [here.session.session_key]
    assert not is_in(there)
