"""Access that ends, ends: at the next request at every door, and for sockets within 5 s (S6)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.services import access_end, api_token_create, bearer
from apps.accounts.tests.second_factor import app_add, policy_asks
from apps.clusters.choices import Role
from apps.clusters.models import RoleGrant
from apps.core.testing import make_server
from apps.inventory.tests.live_socket import LiveSocket
from bmcportal.routing import websocket_application

pytestmark = pytest.mark.django_db(transaction=True)
db = sync_to_async

SIGNED_OUT: Final = 4401
AT_MOST_SECONDS: Final = 5.0
SLOW_SECONDS: Final = 10.0
"""What a busy machine may add; the time is measured."""
TOLD_SECONDS: Final = 2.0
"""Whoever is told does not wait for the next look, which comes every 4 s."""


class Doors:
    """One person at every door."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.browser = Client()
        self.browser.force_login(user)
        self.token = api_token_create(user=user, days=1)
        self.access = bearer.script_session_start(user=user, address=None).access

    @property
    def cookie(self) -> str:
        return str(self.browser.cookies[settings.SESSION_COOKIE_NAME].value)

    def codes(self) -> tuple[int, int, int]:
        """Return the answers to the browser's session, the JSON web token and the API token."""
        tell = APIClient().get
        return (
            self.browser.get("/api/clusters/").status_code,
            tell("/api/clusters/", HTTP_AUTHORIZATION=f"Bearer {self.access}").status_code,
            tell("/api/clusters/", HTTP_AUTHORIZATION=f"Token {self.token}").status_code,
        )

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[LiveSocket]:
        cookie = f"{settings.SESSION_COOKIE_NAME}={self.cookie}".encode()
        headers = [(b"origin", b"http://localhost"), (b"cookie", cookie)]
        live = LiveSocket(websocket_application, "/ws/live/", headers)
        assert await live.connect()
        try:
            yield live
        finally:
            await live.leave()


def disable(doors: Doors) -> None:
    User.objects.filter(pk=doors.user.pk).update(is_active=False)


def disable_and_tell(doors: Doors) -> None:
    disable(doors)
    access_end(user=doors.user)


def sign_out(doors: Doors) -> None:
    doors.browser.post("/account/sign-out")


def end_everything(doors: Doors) -> None:
    access_end(user=doors.user)


def end_from_another_browser(doors: Doors) -> None:
    other = Client()
    other.force_login(doors.user)
    other.post("/account/sessions/end-others")


def change_password(doors: Doors) -> None:
    doors.user.set_password("another long passphrase")
    doors.user.save()


def remove_factor(doors: Doors) -> None:
    Authenticator.objects.filter(user=doors.user).delete()


def ask_for_password(doors: Doors) -> None:
    User.objects.filter(pk=doors.user.pk).update(must_change_password=True)


@pytest.mark.parametrize(
    ("end", "codes", "seconds"),
    [
        (disable, (401, 401, 401), AT_MOST_SECONDS),
        (disable_and_tell, (401, 401, 401), TOLD_SECONDS),
        (sign_out, (401, 200, 200), TOLD_SECONDS),
        (end_everything, (401, 401, 200), TOLD_SECONDS),
        (end_from_another_browser, (401, 401, 200), TOLD_SECONDS),
        (change_password, (401, 401, 200), AT_MOST_SECONDS),
        # A browser goes on as far as the pages where it is set right; see test_doors.
        (remove_factor, (None, 403, 403), AT_MOST_SECONDS),
        (ask_for_password, (None, 403, 200), AT_MOST_SECONDS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_ends_access_ends_it_at_every_door(
    end: Callable[[Doors], None],
    codes: tuple[int | None, int, int],
    seconds: float,
    operator: Any,
) -> None:
    await db(app_add)(operator)
    await db(policy_asks)(Role.OPERATOR)
    doors = await db(Doors)(operator)
    assert await db(doors.codes)() == (200, 200, 200)
    async with doors.socket() as live:
        await live.say('{"subscribe": []}')
        assert await live.is_silent(0.1)
        ended = time.monotonic()
        await db(end)(doors)
        found = await db(doors.codes)()
        assert await live.close_code(SLOW_SECONDS + seconds) == SIGNED_OUT
        took = time.monotonic() - ended
    assert [code for code, known in zip(found, codes, strict=True) if known is not None] == [
        known for known in codes if known is not None
    ]
    assert took < seconds + 1, "a second is allowed to the machine"


async def test_a_grant_that_is_taken_takes_the_servers_from_every_door(
    operator: Any, web: Any
) -> None:
    server = await db(make_server)(cluster=web)
    doors = await db(Doors)(operator)
    async with doors.socket() as live:
        await live.say(f'{{"subscribe": [{server.pk}], "page": "list"}}')
        await live.frame()
        ended = time.monotonic()
        await db(RoleGrant.objects.all().delete)()
        for header in (f"Bearer {doors.access}", f"Token {doors.token}"):
            answer = await db(APIClient().get)(
                f"/api/servers/{server.pk}", HTTP_AUTHORIZATION=header
            )
            assert answer.status_code == 404
        page = await db(doors.browser.get)(f"/api/servers/{server.pk}")
        assert page.status_code == 404
        message = await live.line.receive_output(SLOW_SECONDS + AT_MOST_SECONDS)
        assert f"server-{server.pk}" in message["text"]
        assert time.monotonic() - ended < AT_MOST_SECONDS + 1


async def test_news_for_one_person_close_nobody_elses_socket(operator: Any, readonly: Any) -> None:
    theirs, mine = await db(Doors)(readonly), await db(Doors)(operator)
    async with theirs.socket() as other, mine.socket() as live:
        await db(access_end)(user=operator)
        assert await live.close_code() == SIGNED_OUT
        assert await other.is_silent(0.5)
    assert await db(theirs.codes)() == (200, 200, 200)


async def test_one_session_that_stays_keeps_its_socket(operator: Any) -> None:
    kept, ended = await db(Doors)(operator), await db(Doors)(operator)
    async with kept.socket() as stays, ended.socket() as goes:
        await db(access_end)(user=operator, keep_session=kept.cookie)
        assert await goes.close_code() == SIGNED_OUT
        assert await stays.is_silent(0.5)
