"""Fields that an organisation adds: defined by admins, true to what servers hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.core.testing import make_server
from apps.inventory import services
from apps.inventory.models import CustomField, Server
from apps.inventory.services.custom_fields import CustomFieldFacts

pytestmark = pytest.mark.django_db


@pytest.fixture
def tier(db: None) -> CustomField:
    return CustomField.objects.create(
        key="tier", label="Tier", kind="choice", options=["gold", "silver"]
    )


@pytest.mark.parametrize("verb", ["edit", "delete", "history"])
def test_they_are_for_admins(
    client: Client, tier: CustomField, operator: Any, readonly: Any, verb: str
) -> None:
    paths = ["/fields/", "/fields/add", f"/fields/{tier.pk}/{verb}", f"/fields/999999/{verb}"]
    for path in paths:
        assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))
    for person in (operator, readonly):
        client.force_login(person)
        for path in paths:
            assert client.get(path).status_code == 403
            assert client.post(path).status_code in (403, 405)


def test_an_admin_defines_changes_and_removes_a_field(client: Client, admin: Any) -> None:
    client.force_login(admin)
    assert "No custom fields yet" in client.get("/fields/").content.decode()
    typed = {"key": "tier", "label": "Tier", "kind": "choice", "options": " gold \r\n\r\nsilver",
             "position": "2"}  # fmt: skip
    assert client.post("/fields/add", typed).status_code == 303
    field = CustomField.objects.get()
    assert (field.options, field.position) == (["gold", "silver"], 2)
    url = f"/fields/{field.pk}/edit"
    changed = client.post(url, typed | {"label": "Level", "key": "other", "version": "1"})
    assert changed.status_code == 303
    field.refresh_from_db()
    assert (field.label, field.key) == ("Level", "tier"), "the key stays"
    server = make_server(custom_fields={"tier": "gold", "owner": "x"})
    assert "Level" in client.get("/fields/").content.decode()
    question = client.get(f"/fields/{field.pk}/delete").content.decode()
    assert "1 server has a value of it." in question
    assert client.post(f"/fields/{field.pk}/delete", {"version": "2"}).status_code == 303
    server.refresh_from_db()
    assert server.custom_fields == {"owner": "x"}
    assert server.version == 2
    entry = AuditEntry.objects.get(object_type="inventory.server")
    assert entry.before == {"custom_fields": {"tier": "gold"}}


BAD: list[tuple[str, str, str]] = [
    ("label", "", "required"),
    ("label", "x" * 65, "at most 64"),
    ("label", "a\x07", "cannot be seen"),
    ("label", "a\x00", "Null characters"),
    ("key", "", "required"),
    ("key", "two words", "valid “slug”"),
    ("key", "a.b", "valid “slug”"),
    ("key", "x" * 33, "at most 32"),
    ("key", "a\x00", "Null characters"),
    ("key", "tier", "Another custom field has this key."),
    ("kind", "colour", "not one of the available"),
    ("options", "", "Name at least one option."),
    ("options", "gold\ngold", "Each option once."),
    ("options", "x" * 201, "At most 200 characters."),
    ("options", "\n".join(map(str, range(51))), "At most 50 options."),
    ("options", "a\x1b", "cannot be seen"),
    ("options", "a\x00", "Null characters"),
    ("position", "-1", "greater than or equal to 0"),
    ("position", "1000", "less than or equal to 999"),
    ("position", "first", "Enter a whole number"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), BAD)
def test_bad_input_is_told_at_its_field_and_nothing_is_stored(
    client: Client, admin: Any, tier: CustomField, name: str, value: str, sentence: str
) -> None:
    client.force_login(admin)
    typed = {"key": "new", "label": "New", "kind": "choice", "options": "a", "position": "0"}
    response = client.post("/fields/add", typed | {name: value}, headers={"HX-Request": "true"})
    assert response.status_code == 422
    text = response.content.decode()
    assert sentence in text[text.index(f'id="id_{name}_error"') :].split("</div>")[0]
    assert CustomField.objects.count() == 1


def test_html_in_a_label_is_text(client: Client, admin: Any) -> None:
    CustomField.objects.create(key="evil", label="<script>1</script>")
    server = make_server(custom_fields={"evil": "<script>2</script>"})
    client.force_login(admin)
    for path in ("/fields/", "/servers/add", f"/servers/{server.pk}/"):
        text = client.get(path).content.decode()
        assert "<script>1" not in text
        assert "<script>2" not in text


def test_what_servers_hold_stays_true(admin: Any, tier: CustomField) -> None:
    make_server(custom_fields={"tier": "gold"})
    facts = CustomFieldFacts.of(tier)
    refused = [
        (replace(facts, kind="text", options=()), "kind", "1 server has a value of the old kind"),
        (replace(facts, options=("silver",)), "options", "Servers have the option gold"),
        (replace(facts, key="level"), "key", "stays as it is"),
    ]
    for wrong, name, sentence in refused:
        with pytest.raises(ValidationError) as caught:
            services.customfield_update(actor=admin, field=tier, facts=wrong)
        assert sentence in caught.value.message_dict[name][0]
    wider = replace(facts, options=("gold", "bronze"))
    assert services.customfield_update(actor=admin, field=tier, facts=wider).options == [
        "gold", "bronze",
    ]  # fmt: skip


def test_options_are_for_choices_only(admin: Any) -> None:
    with pytest.raises(ValidationError, match="Only “One of a list” has options"):
        services.customfield_create(
            actor=admin, facts=CustomFieldFacts("owner", "Owner", "text", ("a",))
        )


def test_services_refuse_everybody_else_and_too_many(
    operator: Any, admin: Any, tier: CustomField
) -> None:
    facts = CustomFieldFacts("owner", "Owner")
    with pytest.raises(PermissionDenied):
        services.customfield_create(actor=operator, facts=facts)
    with pytest.raises(PermissionDenied):
        services.customfield_update(actor=operator, field=tier, facts=facts)
    with pytest.raises(PermissionDenied):
        services.customfield_delete(actor=operator, field=tier)
    CustomField.objects.bulk_create(CustomField(key=f"k{n}", label="x") for n in range(39))
    with pytest.raises(ValidationError, match="At most 40"):
        services.customfield_create(actor=admin, facts=facts)


def test_removing_a_field_is_a_few_statements(
    admin: Any, tier: CustomField, django_assert_max_num_queries: Any
) -> None:
    for n in range(60):
        make_server(name=f"s-{n}", custom_fields={"tier": "gold"})
    with django_assert_max_num_queries(14):
        assert services.customfield_delete(actor=admin, field=tier) == 60
    assert not Server.objects.filter(custom_fields__has_key="tier").exists()


def test_the_list_asks_once_for_all_counts(
    client: Client, admin: Any, tier: CustomField, django_assert_num_queries: Any
) -> None:
    client.force_login(admin)
    client.get("/fields/")
    with django_assert_num_queries(5):
        client.get("/fields/")
    CustomField.objects.bulk_create(CustomField(key=f"k{n}", label="x") for n in range(9))
    with django_assert_num_queries(5):
        client.get("/fields/")
