"""Every fact of a server on its form: stored as typed, refused with a sentence at its field."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from apps.clusters.choices import Role
from apps.core.testing import make_cluster, make_profile, make_server, make_site, make_user
from apps.inventory.models import CustomField, Rack, Server, Tag
from apps.inventory.services import servers

pytestmark = pytest.mark.django_db
URL = "/servers/add"


@pytest.fixture
def rack(db: None) -> Rack:
    return Rack.objects.create(site=make_site(), name="B07", units=42)


@pytest.fixture
def definitions(db: None) -> None:
    CustomField.objects.bulk_create(
        [
            CustomField(key="owner", label="Owner"),
            CustomField(key="watts", label="Watts", kind="number"),
            CustomField(key="until", label="Until", kind="date"),
            CustomField(key="leased", label="Leased", kind="flag"),
            CustomField(key="tier", label="Tier", kind="choice", options=["gold", "silver"]),
        ]
    )


@pytest.fixture
def typed(web: Any, rack: Rack, definitions: None) -> dict[str, Any]:
    return {
        "name": "web-1", "cluster": web.pk, "model": "R760", "serial": "J101", "asset_tag": "A-7",
        "tags": "prod, pci,prod", "notes": "line one\r\nline two", "site": rack.site_id,
        "rack": rack.pk, "rack_unit": "21", "unit_count": "2", "address": "127.0.0.9",
        "port": "623", "protocol": "ipmi", "suite": "17",
        "profile": make_profile(clusters=[web]).pk, "is_protected": "on",
        "protected_reason": "runs the phones", "custom.owner": "Data platform",
        "custom.watts": "418", "custom.until": "2027-01-31", "custom.leased": "no",
        "custom.tier": "gold",
    }  # fmt: skip


def test_every_fact_is_stored_as_typed(
    client: Client, operator: Any, typed: dict[str, Any], rack: Rack
) -> None:
    client.force_login(operator)
    assert client.post(URL, typed).status_code == 303
    server = Server.objects.get()
    assert (server.model, server.serial, server.asset_tag) == ("R760", "J101", "A-7")
    assert sorted(tag.name for tag in server.tags.all()) == ["pci", "prod"]
    assert server.notes == "line one\nline two"
    assert (server.rack, server.rack_unit, server.unit_count) == (rack, 21, 2)
    assert (server.bmc.suite, server.bmc.protocol) == ("17", "ipmi")
    assert (server.is_protected, server.protected_reason) == (True, "runs the phones")
    assert server.custom_fields == {
        "owner": "Data platform", "watts": 418, "until": "2027-01-31", "leased": False,
        "tier": "gold",
    }  # fmt: skip


def test_the_form_shows_what_is_stored_and_saving_it_changes_nothing(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    client.post(URL, typed)
    server = Server.objects.get()
    url = f"/servers/{server.pk}/edit"
    form = client.get(url).context["form"]
    shown = {field.html_name: field.value() for field in form}
    again = {
        name: getattr(value, "pk", value) for name, value in shown.items() if value is not None
    }
    assert again.pop("is_protected") is True
    assert client.post(url, again | {"is_protected": "on"}).status_code == 303
    server.refresh_from_db()
    assert server.version == 1


def test_the_server_page_tells_every_fact(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    client.post(URL, typed)
    text = client.get(f"/servers/{Server.objects.get().pk}/").content.decode()
    for word in (
        "R760", "J101", "A-7", "prod", "line two", "B07", "U21–22", "runs the phones",
        "Owner", "Data platform", "418", "2027-01-31", "Leased", "gold",
    ):  # fmt: skip
        assert word in text, word


BAD: list[tuple[str, str, str]] = [
    *((name, "x" * 65, "at most 64") for name in ("model", "serial", "asset_tag")),
    *(
        (name, f"a{bad}b", sentence)
        for name in ("model", "serial", "asset_tag", "protected_reason", "custom.owner")
        for bad, sentence in (("\x07", "cannot be seen"), ("\x00", "Null characters"))
    ),
    ("tags", "a" * 33, "1 to 32 characters"),
    ("tags", ",".join(f"t{n}" for n in range(21)), "At most 20 tags"),
    ("tags", "x" * 681, "at most 680"),
    ("tags", "a\u202eb", "cannot be seen"),
    ("tags", "a\x00b", "Null characters"),
    ("notes", "x" * 4001, "at most 4000"),
    ("notes", "a\x1bb", "cannot be seen"),
    ("notes", "a\x00b", "Null characters"),
    ("rack", "999999", "not one of the available"),
    ("rack", "'; drop", "not one of the available"),
    ("rack", "9" * 30, "not one of the available"),
    ("rack_unit", "0", "greater than or equal to 1"),
    ("rack_unit", "61", "less than or equal to 60"),
    ("rack_unit", "42", "The rack has the units 1 to 42."),
    ("rack_unit", "one", "Enter a whole number"),
    ("unit_count", "0", "greater than or equal to 1"),
    ("unit_count", "61", "less than or equal to 60"),
    ("unit_count", "1.5", "Enter a whole number"),
    ("protocol", "telnet", "not one of the available"),
    ("suite", "0", "not one of the available"),
    ("site", "x", "not one of the available"),
    ("protected_reason", "", "Say why"),
    ("protected_reason", "x" * 201, "at most 200"),
    ("custom.owner", "x" * 201, "at most 200"),
    ("custom.watts", "many", "Enter a number"),
    ("custom.watts", "nan", "Enter a number"),
    ("custom.watts", "inf", "Enter a number"),
    ("custom.watts", "1e15", "less than or equal to"),
    ("custom.until", "tomorrow", "Enter a valid date"),
    ("custom.until", "2027-02-30", "Enter a valid date"),
    ("custom.leased", "maybe", "not one of the available"),
    ("custom.tier", "lead", "not one of the available"),
]


@pytest.mark.parametrize(("field", "value", "sentence"), BAD)
def test_bad_input_is_told_at_its_field_and_nothing_is_stored(
    client: Client, operator: Any, typed: dict[str, Any], field: str, value: str, sentence: str
) -> None:
    client.force_login(operator)
    response = client.post(URL, typed | {field: value}, headers={"HX-Request": "true"})
    assert response.status_code == 422
    text = response.content.decode()
    told = text[text.index(f'id="id_{field}_error"') :].split("</div>")[0]
    assert sentence in told
    assert not Server.objects.exists()
    assert not Tag.objects.exists()


@pytest.mark.parametrize(
    "field", ["model", "serial", "asset_tag", "tags", "notes", "protected_reason", "custom.owner"]
)
def test_html_is_stored_as_text_and_escaped_on_every_page(
    client: Client, admin: Any, operator: Any, typed: dict[str, Any], field: str
) -> None:
    client.force_login(operator)
    evil = "<script>1</script>"
    assert client.post(URL, typed | {field: evil}).status_code == 303
    pk = Server.objects.get().pk
    client.force_login(admin)
    for page in ("", "edit", "history", "delete"):
        assert "<script>1" not in client.get(f"/servers/{pk}/{page}").content.decode()
    assert "<script>1" not in client.get("/racks/").content.decode()
    rack = Rack.objects.get()
    assert "<script>1" not in client.get(f"/racks/{rack.pk}/").content.decode()


def test_a_rack_of_another_site_and_a_taken_unit_are_told(
    client: Client, operator: Any, typed: dict[str, Any], rack: Rack
) -> None:
    client.force_login(operator)
    away = Rack.objects.create(site=make_site("ams"), name="A01")
    told = client.post(URL, typed | {"rack": away.pk}).context["form"].errors
    assert "stands at ams" in told["rack"][0]
    make_server(name="other", rack=rack, rack_unit=20, unit_count=2, site=rack.site)
    told = client.post(URL, typed).context["form"].errors
    assert "other stands in the units 20 to 21" in told["rack_unit"][0]
    told = client.post(URL, typed | {"rack": ""}).context["form"].errors
    assert "Choose the rack" in told["rack_unit"][0]


def test_servers_of_one_chassis_stand_in_the_same_units(
    client: Client, operator: Any, typed: dict[str, Any], rack: Rack
) -> None:
    make_server(name="blade-2", rack=rack, rack_unit=21, unit_count=2, site=rack.site)
    client.force_login(operator)
    assert client.post(URL, typed).status_code == 303


def test_a_taken_asset_tag_is_told_at_its_field(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    make_server(asset_tag="A-7")
    client.force_login(operator)
    told = client.post(URL, typed).context["form"].errors
    assert "Another server has this asset tag." in told["asset_tag"]


def test_a_reason_without_protection_is_no_fact(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    del typed["is_protected"]
    client.post(URL, typed)
    assert Server.objects.get().protected_reason == ""


def test_only_an_admin_lifts_a_protection(
    client: Client, operator: Any, admin: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    client.post(URL, typed)
    url = f"/servers/{Server.objects.get().pk}/edit"
    assert "Only an admin lifts the protection." in client.get(url).content.decode()
    open_again = {k: v for k, v in typed.items() if k != "is_protected"}
    refused = client.post(url, open_again)
    assert refused.status_code == 422
    assert "Only an admin" in refused.context["form"].errors["is_protected"][0]
    client.force_login(admin)
    assert client.post(url, open_again).status_code == 303
    assert not Server.objects.get().is_protected


def test_a_name_that_the_form_does_not_have_is_told_above_it(
    client: Client, operator: Any, typed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service may refuse a fact of which this form knows nothing."""

    def problems(*_args: Any) -> None:
        raise ValidationError({"custom.gone": "No such field.", "name": "Too short."})

    monkeypatch.setattr(servers, "facts_check", problems)
    client.force_login(operator)
    response = client.post(URL, typed)
    assert response.status_code == 422
    form = response.context["form"]
    assert form.non_field_errors() == ["No such field."]
    assert form.errors["name"] == ["Too short."]


def test_tags_of_servers_out_of_sight_are_not_offered(
    client: Client, operator: Any, web: Any
) -> None:
    seen, hidden = make_server(cluster=web), make_server(cluster=make_cluster("third"))
    seen.tags.add(Tag.objects.create(name="seen-tag"))
    hidden.tags.add(Tag.objects.create(name="hidden-tag"))
    client.force_login(operator)
    text = client.get(URL).content.decode()
    assert '<option value="seen-tag">' in text
    assert "hidden-tag" not in text


def test_a_reader_of_one_cluster_sees_racks_of_their_own_only(client: Client, web: Any) -> None:
    reader = make_user("both", Role.READONLY, web)
    hidden = Rack.objects.create(site=make_site(), name="hidden-rack")
    client.force_login(reader)
    assert client.get(f"/racks/{hidden.pk}/").status_code == 404


def test_the_last_server_takes_its_tags_along(
    client: Client, operator: Any, typed: dict[str, Any], web: Any
) -> None:
    other = make_server(cluster=web)
    other.tags.add(Tag.objects.create(name="pci"))
    client.force_login(operator)
    client.post(URL, typed)
    server = Server.objects.get(name="web-1")
    client.post(f"/servers/{server.pk}/edit", typed | {"tags": "lab"})
    assert sorted(Tag.objects.values_list("name", flat=True)) == ["lab", "pci"]
    Server.objects.filter(pk=server.pk).update(is_protected=False)
    client.post(f"/servers/{server.pk}/delete")
    assert list(Tag.objects.values_list("name", flat=True)) == ["pci"]
