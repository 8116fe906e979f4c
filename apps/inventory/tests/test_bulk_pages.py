"""The pages for many servers: whose selection, what they ask, what they refuse, how they look."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.core.actions import bulk_actions
from apps.core.testing import make_cluster, make_profile, make_server, make_site
from apps.inventory import services
from apps.inventory.models import CustomField, Rack, Server, ServerSelection
from apps.inventory.selectors import SERVER_PAGE, selection_servers

pytestmark = pytest.mark.django_db
VERBS = ["edit", "delete"]


@pytest.fixture
def servers(web: Any) -> list[Server]:
    return [make_server(name=f"web-{n:02}", cluster=web) for n in range(3)]


def pick(user: Any, servers: list[Server], **fields: Any) -> ServerSelection:
    ids = [server.pk for server in servers]
    return ServerSelection.objects.create(**{"user": user, "ids": ids} | fields)


def url(verb: str, selection: Any) -> str:
    return f"/servers/bulk/{verb}?selection={getattr(selection, 'pk', selection)}"


def expected_in(text: str) -> str:
    found = re.search(r'name="expected" value="([^"]*)"', text)
    assert found
    return found[1].replace("&quot;", '"')


# ---------------------------------------------------------------- rights and selections


def test_the_bulk_bar_has_both(db: None) -> None:
    found = {action.name: action for action in bulk_actions(SERVER_PAGE)}
    for name, path in (("edit", "/servers/bulk/edit"), ("remove", "/servers/bulk/delete")):
        bulk_url = found[name].bulk_url
        assert bulk_url is not None
        assert bulk_url() == path
        assert found[name].permission == "operator"


@pytest.mark.parametrize("verb", VERBS)
def test_who_may(
    client: Client, servers: list[Server], operator: Any, user: Any, readonly: Any,
    outsider: Any, verb: str,
) -> None:  # fmt: skip
    path = url(verb, pick(operator, servers))
    assert client.get(path)["Location"].startswith(reverse("accounts:sign_in"))
    for person in (readonly, user):
        client.force_login(person)
        assert client.get(url(verb, pick(person, servers))).status_code == 403
        assert client.post(url(verb, pick(person, servers))).status_code == 403
    client.force_login(outsider)
    assert client.get(path).status_code == 404
    assert client.post(path).status_code == 404
    client.force_login(operator)
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("bad", ["", "x", "1", "%00", "0" * 32, uuid.UUID(int=7)])
def test_a_selection_that_is_none_is_a_404(
    client: Client, operator: Any, verb: str, bad: Any
) -> None:
    client.force_login(operator)
    assert client.get(url(verb, bad)).status_code == 404
    assert client.get(f"/servers/bulk/{verb}").status_code == 404


def test_a_selection_reaches_what_this_very_person_sees(
    web: Any, operator: Any, outsider: Any, servers: list[Server]
) -> None:
    hidden = make_server(name="hidden", cluster=make_cluster("third"))
    chosen = pick(operator, [*servers, hidden])
    assert set(selection_servers(operator, chosen)) == set(servers)
    everything = pick(operator, [servers[0]], is_all=True, query="q=web-0")
    assert set(selection_servers(operator, everything)) == set(servers[1:])
    nonsense = pick(operator, [], is_all=True, query="cluster=999999")
    assert not selection_servers(operator, nonsense).exists()
    assert not selection_servers(outsider, chosen).exists()


@pytest.mark.parametrize("verb", VERBS)
def test_too_many_are_refused_with_a_sentence(client: Client, operator: Any, verb: str) -> None:
    client.force_login(operator)
    huge = pick(operator, [], ids=list(range(1, 100_001)))
    response = client.get(url(verb, huge))
    assert response.status_code == 422
    assert "At most 5,000 servers are changed at once" in response.content.decode()


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_selection_is_told(client: Client, operator: Any, verb: str) -> None:
    client.force_login(operator)
    text = client.get(url(verb, pick(operator, []))).content.decode()
    assert "Nothing is picked" in text or "None of the picked servers can be removed" in text


# ---------------------------------------------------------------- edit


def test_from_form_to_preview_to_done(client: Client, operator: Any, servers: list[Server]) -> None:
    client.force_login(operator)
    path = url("edit", pick(operator, servers))
    assert "Edit 3 servers" in client.get(path).content.decode()
    typed = {"model_how": "set", "model": "R760", "tags_add": "prod", "reason": "new boards"}
    preview = client.post(path, typed | {"step": "preview"})
    text = preview.content.decode()
    assert preview.status_code == 200
    assert "Nothing has been written." in text
    assert "Change 3 servers" in text
    assert not Server.objects.filter(model="R760").exists()
    back = client.post(path, typed | {"step": "edit"}).content.decode()
    assert 'value="R760"' in back
    done = client.post(path, typed | {"step": "apply", "expected": expected_in(text)})
    assert (done.status_code, done["Location"]) == (303, "/servers/")
    assert Server.objects.filter(model="R760", tags__name="prod").count() == 3
    assert AuditEntry.objects.filter(reason="new boards").count() == 3
    assert "3 servers changed." in client.get("/servers/").content.decode()


def test_the_preview_carries_everything_that_was_typed(
    client: Client, operator: Any, web: Any, servers: list[Server]
) -> None:
    CustomField.objects.create(key="tier", label="Tier", kind="choice", options=["gold"])
    rack = Rack.objects.create(site=make_site(), name="B07")
    profile = make_profile(clusters=[web])
    typed = {
        "cluster_how": "keep", "rack_how": "set", "rack": str(rack.pk), "model_how": "clear",
        "profile_how": "set", "profile": str(profile.pk), "suite_how": "set", "suite": "17",
        "protection": "set", "protected_reason": "phones", "tags_add": "a, b",
        "custom.tier_how": "set", "custom.tier": "gold",
    }  # fmt: skip
    client.force_login(operator)
    path = url("edit", pick(operator, servers))
    text = client.post(path, typed).content.decode()
    form = text[text.rindex("<form") :]
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))
    assert form
    assert {name: hidden.get(name, "") for name in typed} == typed
    for word in ("B07", "17 only (SHA-256)", "phones", "Tier", "gold", profile.name):
        assert word in text


BAD: list[tuple[dict[str, str], str, str]] = [
    ({"model_how": "set"}, "model", "Say to what"),
    ({"model": "R760"}, "model_how", "A value stands beside it"),
    ({"model_how": "clear", "model": "R760"}, "model_how", "A value stands beside it"),
    ({"model_how": "explode"}, "model_how", "not one of the available"),
    ({"model_how": "set", "model": "x" * 65}, "model", "at most 64"),
    ({"model_how": "set", "model": "a\x00"}, "model", "Null characters"),
    ({"model_how": "set", "model": "a\x07"}, "model", "cannot be seen"),
    ({"cluster_how": "set", "cluster": "999999"}, "cluster", "not one of the available"),
    ({"cluster_how": "clear"}, "cluster_how", "not one of the available"),
    ({"rack_how": "set", "rack": "x"}, "rack", "not one of the available"),
    ({"profile_how": "set", "profile": "999999"}, "profile", "not one of the available"),
    ({"suite_how": "clear"}, "suite_how", "not one of the available"),
    ({"suite_how": "set", "suite": "0"}, "suite", "not one of the available"),
    ({"protection": "set"}, "protected_reason", "Say to what"),
    ({"protection": "set", "protected_reason": "x" * 201}, "protected_reason", "at most 200"),
    ({"protection": "maybe"}, "protection", "not one of the available"),
    ({"tags_add": "x" * 33}, "tags_add", "1 to 32 characters"),
    ({"tags_add": "a\x00"}, "tags_add", "Null characters"),
    ({"tags_add": "a", "tags_remove": "a"}, "tags_remove", "added and removed at once"),
    ({"custom.tier_how": "set", "custom.tier": "lead"}, "custom.tier", "not one of the available"),
    ({"model_how": "set", "model": "x", "reason": "x" * 501}, "reason", "at most 500"),
]


@pytest.mark.parametrize(("typed", "field", "sentence"), BAD)
def test_bad_input_is_told_at_its_field(
    client: Client, operator: Any, servers: list[Server], typed: dict[str, str], field: str,
    sentence: str,
) -> None:  # fmt: skip
    CustomField.objects.create(key="tier", label="Tier", kind="choice", options=["gold"])
    client.force_login(operator)
    response = client.post(url("edit", pick(operator, servers)), typed | {"step": "preview"})
    assert response.status_code == 422
    text = response.content.decode()
    assert sentence in text[text.index(f'id="id_{field}_error"') :].split("</div>")[0]
    assert not AuditEntry.objects.exists()


def test_nothing_said_is_told(client: Client, operator: Any, servers: list[Server]) -> None:
    client.force_login(operator)
    response = client.post(url("edit", pick(operator, servers)), {"step": "preview"})
    assert response.status_code == 422
    assert "Nothing is to be changed." in response.content.decode()


@pytest.mark.parametrize(
    "bad",
    ["x", "[1]", '"a"', '{"a": 1}', '{"1": "2"}', '{"1": true}', '{"-1": 1}', '{"1": 0}',
     "[" * 50_000, '{"1": 1e999}', json.dumps({str(n): 1 for n in range(5001)})],
)  # fmt: skip
@pytest.mark.parametrize("verb", VERBS)
def test_a_list_of_servers_that_cannot_be_read_is_told(
    client: Client, operator: Any, servers: list[Server], verb: str, bad: str
) -> None:
    client.force_login(operator)
    typed = {"model_how": "set", "model": "R760", "step": "apply", "expected": bad}
    response = client.post(url(verb, pick(operator, servers)), typed)
    assert response.status_code == 422
    assert "cannot be read" in response.content.decode()
    assert Server.objects.filter(model="").count() == 3


def test_refused_servers_are_named_and_left_out(
    client: Client, operator: Any, web: Any, servers: list[Server]
) -> None:
    make_server(name="guarded", cluster=web, is_protected=True, protected_reason="phones")
    client.force_login(operator)
    path = url("edit", pick(operator, [], is_all=True))
    typed = {"protection": "clear", "model_how": "set", "model": "R760"}
    text = client.post(path, typed | {"step": "preview"}).content.decode()
    assert "Change 3 servers, leave out 1" in text
    assert "Only an admin lifts the protection." in text
    done = client.post(path, typed | {"step": "apply", "expected": expected_in(text)})
    assert done.status_code == 303
    assert Server.objects.filter(model="R760").count() == 3
    assert Server.objects.get(name="guarded").is_protected


def test_somebody_was_faster(client: Client, operator: Any, servers: list[Server]) -> None:
    client.force_login(operator)
    path = url("edit", pick(operator, servers))
    typed = {"model_how": "set", "model": "R760"}
    text = client.post(path, typed | {"step": "preview"}).content.decode()
    Server.objects.filter(pk=servers[0].pk).update(version=2, notes="theirs")
    late = client.post(path, typed | {"step": "apply", "expected": expected_in(text)})
    assert late.status_code == 409
    answer = late.content.decode()
    assert "Nothing was changed" in answer
    assert "Somebody saved it after this was shown." in answer
    assert "web-00" in answer
    assert not Server.objects.filter(model="R760").exists()
    again = client.post(path, typed | {"step": "apply", "expected": expected_in(answer)})
    assert again.status_code == 303
    assert Server.objects.filter(model="R760").count() == 2


def test_a_server_out_of_scope_in_the_list_stops_all_and_is_not_named(
    client: Client, operator: Any, servers: list[Server]
) -> None:
    foreign = make_server(name="foreign-name", cluster=make_cluster("third"))
    client.force_login(operator)
    both = json.dumps({str(servers[0].pk): 1, str(foreign.pk): 1})
    typed = {"model_how": "set", "model": "R760", "step": "apply", "expected": both}
    response = client.post(url("edit", pick(operator, servers)), typed)
    assert response.status_code == 409
    text = response.content.decode()
    assert "1 server was removed meanwhile, or is not shown to you any more." in text
    assert "foreign-name" not in text
    assert not Server.objects.filter(model="R760").exists()


def test_a_rack_removed_at_this_very_moment_is_told(
    client: Client, operator: Any, servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(**_: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(services, "servers_edit", late)
    client.force_login(operator)
    typed = {"model_how": "set", "model": "x", "step": "apply", "expected": '{"1": 1}'}
    response = client.post(url("edit", pick(operator, servers)), typed)
    assert response.status_code == 422
    assert "Somebody changed something at this moment." in response.content.decode()


def test_html_in_what_is_typed_is_text(
    client: Client, operator: Any, servers: list[Server]
) -> None:
    client.force_login(operator)
    typed = {"model_how": "set", "model": "<script>1</script>", "tags_add": "<script>2</script>",
             "step": "preview"}  # fmt: skip
    text = client.post(url("edit", pick(operator, servers)), typed).content.decode()
    assert "<script>1" not in text
    assert "<script>2" not in text
    assert "&lt;script&gt;1" in text
