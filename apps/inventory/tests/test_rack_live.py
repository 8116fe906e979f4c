"""What a live page of a rack gets: the row of its table, and the slot of its drawing."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.testing import make_server
from apps.inventory.consumers import subscription_parse
from apps.inventory.live import RACK_ROW, RACK_SLOT, Key, fragments_render, gone_render
from apps.inventory.models import Rack

pytestmark = pytest.mark.django_db


def test_a_rack_page_subscribes_to_rows_and_slots() -> None:
    asked = subscription_parse('{"subscribe": [1, 2], "page": "rack"}')
    assert (asked.ids, asked.pages) == ([1, 2], (RACK_ROW, RACK_SLOT))


def test_fragments_replace_row_and_slot_by_their_ids(web: Any) -> None:
    server = make_server(name="web-1", cluster=web, status={"power": "off", "fault": ""})
    rack = Rack.objects.create(site=server.bmc.site, name="B07")
    server.rack, server.rack_unit = rack, 3
    server.save()
    keys = [Key(part, server.pk, "en") for part in (RACK_ROW, RACK_SLOT)]
    row, slot = (fragments_render(keys)[key] for key in keys)
    assert row.lstrip().startswith(f'<tbody id="server-{server.pk}"')
    assert "U3" in row
    assert "is-off" in row
    assert slot.lstrip().startswith(f'<svg class="bp-slot" id="rack-slot-{server.pk}"')
    assert "s-off" in slot


def test_what_is_gone_becomes_a_place_without_a_name() -> None:
    assert 'id="server-7"' in gone_render(RACK_ROW, [7], ())
    slot = gone_render(RACK_SLOT, [7], ())
    assert 'id="rack-slot-7"' in slot
    assert "Occupied" in slot
