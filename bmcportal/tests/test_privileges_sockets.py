"""The socket rows of the privilege table, over the real router, session and channel layer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client

from apps.accounts.models import User
from apps.core.testing import make_server
from apps.inventory.tests.live_socket import LiveSocket
from bmcportal.routing import websocket_application
from bmcportal.tests.privileges.rows import CAST, Socket
from bmcportal.tests.privileges.sockets import CLOSED, GETS, HIDDEN, SOCKETS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people(
    admin: User, operator: User, user: User, readonly: User, outsider: User
) -> dict[str, User]:
    return {person.username: person for person in (admin, operator, user, readonly, outsider)}


def _cookie(person: User) -> bytes:
    client = Client()
    client.force_login(person)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}".encode()


@pytest.mark.parametrize("who", [*CAST, "disabled"])
@pytest.mark.parametrize("row", SOCKETS, ids=lambda row: row.path)
async def test_everybody_follows_what_the_table_says(
    row: Socket, who: str, web: Any, people: dict[str, User]
) -> None:
    headers = [(b"origin", b"http://localhost")]
    if who != "nobody":
        person = people["admin" if who == "disabled" else who]
        headers.append((b"cookie", await sync_to_async(_cookie)(person)))
        if who == "disabled":
            await User.objects.filter(pk=person.pk).aupdate(is_active=False)
    expected = CLOSED if who == "disabled" else row.answers[CAST.index(who)]
    server = await sync_to_async(make_server)(name="web-1", cluster=web)
    live = LiveSocket(websocket_application, f"/{row.path}", headers)
    assert await live.connect()
    try:
        if expected == CLOSED:
            assert await live.close_code() == 4401
            return
        await live.say(json.dumps({"subscribe": [server.pk], "page": "list"}))
        if expected == GETS:
            assert "web-1" in await live.frame()
        else:
            assert expected == HIDDEN
            assert await live.is_silent(1.5)
    finally:
        await live.leave()
