"""What a live page of a rack gets: the row of its table, and the slot of its drawing."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.core.testing import make_cluster, make_server
from apps.inventory.consumers import subscription_parse
from apps.inventory.live import RACK_ROW, RACK_SLOT, render_live
from apps.inventory.models import Rack

pytestmark = pytest.mark.django_db


def session_of(person: Any) -> str:
    client = Client()
    client.force_login(person)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def test_a_rack_page_subscribes_to_rows_and_slots() -> None:
    asked = subscription_parse('{"subscribe": [1, 2], "page": "rack"}')
    assert asked == ([1, 2], (RACK_ROW, RACK_SLOT))


def test_frames_replace_row_and_slot_by_their_ids(web: Any, readonly: Any) -> None:
    server = make_server(name="web-1", cluster=web, status={"power": "off", "fault": ""})
    rack = Rack.objects.create(site=server.bmc.site, name="B07")
    server.rack, server.rack_unit = rack, 3
    server.save()
    hidden = make_server(name="secret", cluster=make_cluster("third"))
    row, slot = render_live(
        session_of(readonly), [server.pk, hidden.pk], [], (RACK_ROW, RACK_SLOT), "en"
    )
    assert row.lstrip().startswith(f'<tbody id="server-{server.pk}"')
    assert "U3" in row
    assert "is-off" in row
    assert slot.lstrip().startswith(f'<svg class="bp-slot" id="rack-slot-{server.pk}"')
    assert "s-off" in slot
    assert "secret" not in row + slot


def test_what_is_gone_becomes_a_place_without_a_name(readonly: Any) -> None:
    row, slot = render_live(session_of(readonly), [], [7], (RACK_ROW, RACK_SLOT), "en")
    assert 'id="server-7"' in row
    assert 'id="rack-slot-7"' in slot
    assert "Occupied" in slot
