"""The live socket, over the real channel layer, session and database."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.clusters.models import RoleGrant
from apps.core.testing import make_cluster, make_server
from apps.inventory import consumers
from apps.inventory.choices import Power
from apps.inventory.consumers import BadMessage, LiveConsumer, subscription_parse
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.inventory.services import PowerReading, status_record
from apps.inventory.tests.live_socket import LiveSocket
from bmcportal.routing import websocket_application

pytestmark = pytest.mark.django_db(transaction=True)
db = sync_to_async


def cookie_of(person: Any) -> str:
    client = Client()
    client.force_login(person)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


@asynccontextmanager
async def socket(person: Any = None, language: str = "") -> AsyncIterator[LiveSocket]:
    cookies = []
    if person is not None:
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={await db(cookie_of)(person)}")
    if language:
        cookies.append(f"{settings.LANGUAGE_COOKIE_NAME}={language}")
    headers = [(b"origin", b"http://localhost"), (b"cookie", "; ".join(cookies).encode())]
    live = LiveSocket(websocket_application, "/ws/live/", headers)
    assert await live.connect()
    try:
        yield live
    finally:
        await live.leave()


async def subscribe(live: LiveSocket, *ids: int, **more: Any) -> None:
    await live.say(json.dumps({"subscribe": list(ids), **more}))


async def read_as(server: Server, power: Power) -> None:
    await db(status_record)([PowerReading(server.pk, power)])


async def test_anonymous_is_closed() -> None:
    async with socket() as live:
        assert await live.close_code() == 4401


@pytest.mark.parametrize(
    "origin",
    [b"https://evil.example", b"null", b"http://localhost.evil.example", b"file://", b"", None],
)
async def test_pages_of_other_sites_open_no_socket(readonly: Any, origin: bytes | None) -> None:
    cookie = f"{settings.SESSION_COOKIE_NAME}={await db(cookie_of)(readonly)}".encode()
    headers = [(b"cookie", cookie)] + ([(b"origin", origin)] if origin is not None else [])
    live = LiveSocket(websocket_application, "/ws/live/", headers)
    assert not await live.connect()


async def test_a_reading_arrives_as_a_row(web: Any, readonly: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list")
        assert "Unknown" in await live.frame()  # what changed before the socket was there
        await read_as(server, Power.ON)
        text = await live.frame()
        assert f'<tbody id="server-{server.pk}"' in text
        assert "is-on" in text
        assert "server-state" not in text


async def test_rows_have_the_columns_of_the_page(web: Any, readonly: Any) -> None:
    server = await db(make_server)(
        name="web-1", cluster=web, serial="SN-1", asset_tag="AT-1", custom_fields={"owner": "Team"}
    )
    async with socket(readonly) as live:
        columns = ["name", "power", "serial", "custom.owner", "custom.<b>", "no-such"]
        await subscribe(live, server.pk, page="list", columns=columns)
        text = await live.frame()
        assert "SN-1" in text
        assert ">Team<" in text
        assert "AT-1" not in text
        assert text.count("<td") == 7  # the box, four columns, and the two of the reason
        assert 'name="ids"' in text
        assert "checked" not in text
        await subscribe(live, server.pk, page="list")
        assert "SN-1" not in await live.frame()


async def test_what_a_person_loses_fills_the_whole_row(web: Any, readonly: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list", columns=["name", "power", "site", "bmc"])
        await live.frame()
        await db(RoleGrant.objects.filter(user=readonly).delete)()
        await read_as(server, Power.ON)
        assert 'colspan="4"' in await live.frame()


async def test_the_page_of_a_server_gets_its_state(web: Any, readonly: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="server")
        text = await live.frame()
        assert f'id="server-state-{server.pk}"' in text
        assert "<tbody" not in text
        assert 'id="server-orders-' in await live.frame()
        assert 'id="server-activity"' in await live.frame()


async def test_the_language_of_the_page_is_kept(web: Any, readonly: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    async with socket(readonly, "zh-hans") as live:
        await subscribe(live, server.pk, page="list")
        await live.frame()


async def test_invisible_servers_are_left_out_in_silence(
    web: Any, readonly: Any, outsider: Any
) -> None:
    mine = await db(make_server)(name="web-1", cluster=web)
    theirs = await db(make_server)(name="away-1", cluster=await db(make_cluster)("elsewhere"))
    loose = await db(make_server)(name="loose-1")
    async with socket(readonly) as live:
        await subscribe(live, mine.pk, theirs.pk, loose.pk, 999999)
        text = await live.frame()
        assert "web-1" in text
        for server in (theirs, loose, mine):
            await read_as(server, Power.OFF)
        text += await live.frame()
        assert "away-1" not in text
        assert "loose-1" not in text
        assert await live.is_silent(1.5)


async def test_many_changes_are_one_frame_a_second(web: Any, readonly: Any) -> None:
    servers = [await db(make_server)(cluster=web) for _ in range(5)]
    async with socket(readonly) as live:
        await subscribe(live, *(server.pk for server in servers), page="list")
        await live.frame()
        for server in servers * 3:
            await read_as(server, Power.ON)
        text = await live.frame()
        assert text.count("<tbody") == 5
        assert await live.is_silent(1.2)


async def test_servers_that_are_not_on_screen_are_not_sent(web: Any, readonly: Any) -> None:
    shown = await db(make_server)(name="shown", cluster=web)
    other = await db(make_server)(name="other", cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, shown.pk, page="list")
        await live.frame()
        await read_as(other, Power.ON)
        assert await live.is_silent(1.5)


async def test_a_lost_grant_takes_the_servers_away(web: Any, readonly: Any) -> None:
    server = await db(make_server)(name="web-1", cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list")
        await live.frame()
        await db(RoleGrant.objects.filter(user=readonly).delete)()
        await read_as(server, Power.ON)
        text = await live.frame()
        assert "web-1" not in text
        assert "gone, or not shown to you any more" in text
        await read_as(server, Power.OFF)
        assert await live.is_silent(1.5)


async def test_a_server_that_moves_away_is_taken_from_the_screen(
    web: Any, readonly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "CHECK_SECONDS", 0.3)
    away = await db(make_cluster)("elsewhere")
    server = await db(make_server)(name="web-1", cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list")
        await live.frame()
        await db(Server.objects.filter(pk=server.pk).update)(cluster=away)
        assert "web-1" not in await live.frame()


@pytest.mark.parametrize("way", ["disabled", "signed out", "password"])
async def test_who_is_disabled_or_signed_out_is_closed_within_five_seconds(
    web: Any, readonly: Any, way: str
) -> None:
    server = await db(make_server)(cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list")
        await live.frame()
        if way == "disabled":
            readonly.is_active = False
            await db(readonly.save)()
        elif way == "password":
            readonly.set_password("another long passphrase")
            await db(readonly.save)()
        else:
            from django.contrib.sessions.models import Session

            await db(Session.objects.all().delete)()
        async with asyncio.timeout(5):
            assert await live.close_code() == 4401


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", "{}", "null", '{"subscribe": 1}', '{"subscribe": ["1"]}',
        '{"subscribe": [true]}', '{"subscribe": [1.5]}', '{"subscribe": [0]}',
        '{"subscribe": [99999999999999999999]}', '{"subscribe": [1], "page": "admin"}',
        '{"subscribe": [1], "page": ["list"]}', "[" * 3000,
        '{"subscribe": [1], "columns": "name"}', '{"subscribe": [1], "columns": [1]}',
        '{"subscribe": [1], "columns": [["name"]]}', '{"subscribe": [1], "columns": null}',
        json.dumps({"subscribe": [1], "columns": ["name"] * 41}),
        json.dumps({"subscribe": list(range(1, 202))}), '{"subscribe": [' + " " * 5000 + "]}",
    ],
)  # fmt: skip
async def test_bad_messages_close_the_socket(readonly: Any, text: str) -> None:
    async with socket(readonly) as live:
        await live.say(text)
        assert await live.close_code() == 4400


async def test_bytes_close_the_socket(readonly: Any) -> None:
    async with socket(readonly) as live:
        await live.say(data=b"\x00")
        assert await live.close_code() == 4400


async def test_a_flood_of_messages_closes_the_socket(readonly: Any) -> None:
    async with socket(readonly) as live:
        for _ in range(60):
            await subscribe(live)
        assert await live.close_code() == 4400


async def test_watched_servers_are_read_often(web: Any, readonly: Any) -> None:
    server = await db(make_server)(cluster=web)
    later = timezone.now() + dt.timedelta(hours=1)
    await db(Bmc.objects.update)(poll_due_at=later)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list")
        await live.frame()
        status = await ServerStatus.objects.aget()
        assert status.watched_until is not None
        ahead = (status.watched_until - timezone.now()).total_seconds()
        assert 20 < ahead < 31
        assert (await Bmc.objects.aget()).poll_due_at < timezone.now() + dt.timedelta(seconds=5)


async def test_watching_goes_on_while_the_page_is_open(
    web: Any, readonly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "WATCH_SECONDS", 0.3)
    server = await db(make_server)(cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list")
        await live.frame()
        await db(ServerStatus.objects.update)(watched_until=None)
        for _ in range(40):
            await asyncio.sleep(0.1)
            if (await ServerStatus.objects.aget()).watched_until is not None:
                return
        pytest.fail("nobody watches")


async def test_a_reader_that_does_not_read_is_dropped(
    web: Any, readonly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SEND_SECONDS", 0.1)

    async def stuck(*_args: Any, **_kwargs: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(LiveConsumer, "send", stuck)
    server = await db(make_server)(cluster=web)
    async with socket(readonly) as live:
        await subscribe(live, server.pk, page="list")
        assert await live.close_code() == 4408


def test_one_server_without_a_page_gets_every_fragment() -> None:
    assert len(subscription_parse('{"subscribe": [1]}')[1]) == 3
    assert len(subscription_parse('{"subscribe": [1, 2]}')[1]) == 1
    with pytest.raises(BadMessage):
        subscription_parse(None)
