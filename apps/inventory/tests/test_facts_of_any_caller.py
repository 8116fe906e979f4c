"""What services look at themselves, whoever calls: a form, a script, an import."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.core.testing import make_profile, make_server, make_site
from apps.inventory import services
from apps.inventory.models import CustomField, Rack, Server
from apps.inventory.services.custom_fields import CustomFieldFacts
from apps.inventory.services.facts import ServerFacts
from apps.inventory.services.profiles import ProfileFacts

pytestmark = pytest.mark.django_db

BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name"),
    ({"name": "x" * 65}, "name"),
    ({"name": "a\x00"}, "name"),
    ({"asset_tag": "x" * 65}, "asset_tag"),
    ({"serial": "a\u202eb"}, "serial"),
    ({"model": "a\x07"}, "model"),
    ({"notes": "x" * 4001}, "notes"),
    ({"notes": "a\x00"}, "notes"),
    ({"tags": ("",)}, "tags"),
    ({"tags": ("a,b",)}, "tags"),
    ({"tags": ("a\x00",)}, "tags"),
    ({"tags": tuple(map(str, range(21)))}, "tags"),
    ({"is_protected": True}, "protected_reason"),
    ({"is_protected": True, "protected_reason": "x" * 201}, "protected_reason"),
    ({"unit_count": 0}, "unit_count"),
    ({"unit_count": 61}, "unit_count"),
    ({"rack_unit": 1}, "rack_unit"),
    ({"custom_fields": {"gone": 1}}, "custom_fields"),
    ({"custom_fields": {"text": 1}}, "custom.text"),
    ({"custom_fields": {"text": "x" * 201}}, "custom.text"),
    ({"custom_fields": {"text": "a\x00"}}, "custom.text"),
    ({"custom_fields": {"number": "1"}}, "custom.number"),
    ({"custom_fields": {"number": True}}, "custom.number"),
    ({"custom_fields": {"number": 1e15}}, "custom.number"),
    ({"custom_fields": {"date": "yesterday"}}, "custom.date"),
    ({"custom_fields": {"flag": "yes"}}, "custom.flag"),
    ({"custom_fields": {"choice": "b"}}, "custom.choice"),
    ({"custom_fields": {"choice": ["a"]}}, "custom.choice"),
]


@pytest.fixture
def server(db: None) -> Server:
    for kind in ("text", "number", "date", "flag", "choice"):
        options = ["a"] if kind == "choice" else []
        CustomField.objects.create(key=kind, label=kind, kind=kind, options=options)
    return make_server(name="web-1")


@pytest.mark.parametrize(("change", "name"), BAD)
def test_a_fact_that_cannot_be_is_named(
    admin: Any, server: Server, change: dict[str, Any], name: str
) -> None:
    facts = replace(ServerFacts.of(server), **change)
    with pytest.raises(ValidationError) as caught:
        services.server_update(actor=admin, server=server, facts=facts)
    assert set(caught.value.message_dict) == {name}
    server.refresh_from_db()
    assert server.version == 1


def test_every_kind_of_value_is_kept_and_an_empty_one_is_none(admin: Any, server: Server) -> None:
    values = {"text": "x", "number": 1.5, "date": "2026-11-30", "flag": False, "choice": "a"}
    facts = replace(ServerFacts.of(server), custom_fields=values)
    assert services.server_update(actor=admin, server=server, facts=facts).custom_fields == values
    cleared = replace(facts, custom_fields=values | {"text": "", "number": None})
    stored = services.server_update(actor=admin, server=server, facts=cleared).custom_fields
    assert stored == {"date": "2026-11-30", "flag": False, "choice": "a"}


def test_a_place_is_looked_at_with_its_rack(admin: Any, server: Server) -> None:
    rack = Rack.objects.create(site=make_site(), name="B07", units=10)
    make_server(name="other", rack=rack, rack_unit=4, unit_count=2)
    facts = replace(ServerFacts.of(server), rack=rack)
    for unit, count in ((0, 1), (10, 2), (3, 2), (5, 1)):
        with pytest.raises(ValidationError) as caught:
            services.server_update(
                actor=admin, server=server,
                facts=replace(facts, rack_unit=unit, unit_count=count),
            )  # fmt: skip
        assert set(caught.value.message_dict) == {"rack_unit"}
    good = replace(facts, rack_unit=6, unit_count=5)
    assert services.server_update(actor=admin, server=server, facts=good).top_unit == 10


def test_a_profile_that_is_saved_as_it_is_stays_untouched(admin: Any) -> None:
    profile = make_profile(name="dell")
    facts = ProfileFacts("dell", "admin", 3, ["127.0.0.0/8"], True)
    services.profile_update(actor=admin, profile=profile, facts=facts, clusters=[])
    profile.refresh_from_db()
    assert profile.version == 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"label": " "}, "label"),
        ({"label": "x" * 65}, "label"),
        ({"label": "a\x00"}, "label"),
        ({"kind": "colour"}, "kind"),
        ({"kind": "choice"}, "options"),
        ({"kind": "choice", "options": ("a", "a")}, "options"),
        ({"kind": "choice", "options": ("a\x00",)}, "options"),
        ({"options": ("a",)}, "options"),
    ],
)
def test_a_definition_that_cannot_be_is_named(
    admin: Any, change: dict[str, Any], name: str
) -> None:
    facts = CustomFieldFacts("owner", "Owner")
    field = services.customfield_create(actor=admin, facts=facts)
    services.customfield_update(actor=admin, field=field, facts=facts)
    field.refresh_from_db()
    assert field.version == 1, "nothing was changed"
    with pytest.raises(ValidationError) as caught:
        services.customfield_update(actor=admin, field=field, facts=replace(facts, **change))
    assert set(caught.value.message_dict) == {name}
