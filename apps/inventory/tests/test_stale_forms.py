"""Two people edit the same thing: nothing is lost, nobody saves over what they have not seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEntry
from apps.clusters import services as clusters
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.core.testing import make_cluster, make_profile, make_server, make_site, make_user
from apps.inventory import services
from apps.inventory.models import Bmc, CredentialProfile, CustomField, Rack, Server
from apps.inventory.services.custom_fields import CustomFieldFacts
from apps.inventory.services.profiles import ProfileFacts
from apps.inventory.services.racks import RackFacts

pytestmark = pytest.mark.django_db


@dataclass
class Case:
    """One kind of thing: its form, what is typed into it, and how somebody else saves it."""

    url: str
    typed: dict[str, Any]
    other_saves: Callable[[Any], object]
    stored: Callable[[], str]
    mine: str
    theirs: str


def server_case(admin: Any) -> Case:
    server = make_server(name="web-1", cluster=make_cluster("web"), address="127.0.0.9")
    other = replace(services.ServerFacts.of(server), model="theirs")

    def save(_: Any) -> object:
        return services.server_update(
            actor=make_user("m.chen", Role.ADMIN), server=server, facts=other, reason="swapped"
        )

    return Case(
        f"/servers/{server.pk}/edit",
        {
            "name": "web-1", "cluster": server.cluster_id, "site": server.bmc.site_id,
            "address": "127.0.0.9", "port": "623", "suite": "auto", "model": "mine",
        },
        save, lambda: Server.objects.get().model, "mine", "theirs",
    )  # fmt: skip


def rack_case(admin: Any) -> Case:
    rack = Rack.objects.create(site=make_site(), name="B07")

    def save(_: Any) -> object:
        facts = replace(RackFacts.of(rack), notes="theirs")
        return services.rack_update(actor=make_user("m.chen", Role.ADMIN), rack=rack, facts=facts)

    return Case(
        f"/racks/{rack.pk}/edit",
        {"site": rack.site_id, "name": "B07", "units": "42", "notes": "mine"},
        save, lambda: Rack.objects.get().notes, "mine", "theirs",
    )  # fmt: skip


def profile_case(admin: Any) -> Case:
    profile = make_profile(name="dell")

    def save(_: Any) -> object:
        facts = ProfileFacts("dell", "theirs", 3, ["127.0.0.0/8"], True)
        return services.profile_update(
            actor=make_user("m.chen", Role.ADMIN), profile=profile, facts=facts, clusters=[]
        )

    return Case(
        f"/profiles/{profile.pk}/edit",
        {
            "name": "dell", "username": "mine", "networks": "127.0.0.0/8", "privilege": "3",
            "is_open_everywhere": "on",
        },
        save, lambda: CredentialProfile.objects.get().username, "mine", "theirs",
    )  # fmt: skip


def field_case(admin: Any) -> Case:
    field = CustomField.objects.create(key="owner", label="Owner")

    def save(_: Any) -> object:
        facts = CustomFieldFacts("owner", "theirs")
        return services.customfield_update(
            actor=make_user("m.chen", Role.ADMIN), field=field, facts=facts
        )

    return Case(
        f"/fields/{field.pk}/edit",
        {"label": "mine", "kind": "text", "position": "0"},
        save, lambda: CustomField.objects.get().label, "mine", "theirs",
    )  # fmt: skip


def site_case(admin: Any) -> Case:
    site = make_site("fra")

    def save(_: Any) -> object:
        return clusters.site_update(actor=make_user("m.chen", Role.ADMIN), site=site, name="theirs")

    return Case(
        f"/sites/{site.pk}/edit", {"name": "mine"}, save,
        lambda: Site.objects.get().name, "mine", "theirs",
    )  # fmt: skip


def cluster_case(admin: Any) -> Case:
    cluster = make_cluster("web")

    def save(_: Any) -> object:
        return clusters.cluster_update(
            actor=make_user("m.chen", Role.ADMIN), cluster=cluster, name="theirs"
        )

    return Case(
        f"/clusters/{cluster.pk}/edit", {"name": "mine"}, save,
        lambda: Cluster.objects.get().name, "mine", "theirs",
    )  # fmt: skip


CASES = [server_case, rack_case, profile_case, field_case, site_case, cluster_case]


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def case(request: pytest.FixtureRequest, admin: Any) -> Case:
    made: Case = request.param(admin)
    return made


def version_in(text: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', text)
    assert found, "the form carries the version"
    return found[1]


def test_the_second_is_shown_the_difference_and_may_save_over_it(
    client: Client, admin: Any, case: Case
) -> None:
    client.force_login(admin)
    first = version_in(client.get(case.url).content.decode())
    case.other_saves(admin)
    response = client.post(case.url, case.typed | {"version": first})
    assert response.status_code == 409
    text = response.content.decode()
    assert "m.chen saved this while your form was open." in text
    assert f"<ins>{case.mine}</ins></td><td>{case.theirs}</td>" in text
    assert "Save mine over it" in text
    assert f'href="{case.url}">Take theirs' in text
    assert case.stored() == case.theirs
    again = client.post(case.url, case.typed | {"version": version_in(text)})
    assert again.status_code == 303
    assert case.stored() == case.mine


def test_htmx_puts_the_difference_in_the_place_of_the_form(
    client: Client, admin: Any, case: Case
) -> None:
    client.force_login(admin)
    case.other_saves(admin)
    response = client.post(case.url, case.typed | {"version": "1"}, headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Reswap"]) == (409, "outerHTML")
    assert response.content.decode().lstrip().startswith("<form")


def test_a_third_save_meanwhile_is_told_again(client: Client, admin: Any, case: Case) -> None:
    client.force_login(admin)
    case.other_saves(admin)
    text = client.post(case.url, case.typed | {"version": "1"}).content.decode()
    model = {"server": Server, "rack": Rack, "profile": CredentialProfile, "field": CustomField,
             "site": Site, "cluster": Cluster}[case.url.split("/")[1].rstrip("s")]  # fmt: skip
    model._default_manager.update(version=9)
    assert client.post(case.url, case.typed | {"version": version_in(text)}).status_code == 409


def test_an_unchanged_version_saves_at_once(client: Client, admin: Any, case: Case) -> None:
    client.force_login(admin)
    assert client.post(case.url, case.typed | {"version": "1"}).status_code == 303
    assert case.stored() == case.mine
    assert version_in(client.get(case.url).content.decode()) == "2"


@pytest.mark.parametrize("version", ["x", "-1", "0", "9" * 30, "\x00"])
def test_a_version_that_is_none_is_told_and_nothing_is_stored(
    client: Client, admin: Any, case: Case, version: str
) -> None:
    client.force_login(admin)
    before = case.stored()
    response = client.post(case.url, case.typed | {"version": version})
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert case.stored() == before


def test_removed_while_open_gives_what_was_typed_back(
    client: Client, admin: Any, case: Case
) -> None:
    client.force_login(admin)
    for model in (Server, Bmc, Rack, CredentialProfile, CustomField, Site, Cluster):
        model._default_manager.all().delete()
    response = client.post(case.url, case.typed | {"version": "1"})
    assert response.status_code == 404
    text = response.content.decode()
    assert "It was removed while your form was open" in text
    assert f"<dd>{case.mine}</dd>" in text
    fragment = client.post(case.url, case.typed, headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Reswap"]) == (404, "outerHTML")
    assert fragment.content.decode().startswith("<section")
    assert client.get(case.url).status_code == 404


def test_removed_at_this_very_moment_gives_it_back_too(
    client: Client, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = Rack.objects.create(site=make_site(), name="B07")

    def gone(**_: Any) -> None:
        raise Rack.DoesNotExist

    monkeypatch.setattr(services, "rack_update", gone)
    monkeypatch.setattr(services, "rack_delete", gone)
    client.force_login(admin)
    typed = {"site": rack.site_id, "name": "B07", "units": "42", "notes": "a thought"}
    response = client.post(f"/racks/{rack.pk}/edit", typed)
    assert response.status_code == 404
    assert "<dd>a thought</dd>" in response.content.decode()
    assert client.post(f"/racks/{rack.pk}/delete", {"version": "1"}).status_code == 404


def test_two_who_typed_the_same_have_nothing_to_decide(
    client: Client, admin: Any, case: Case
) -> None:
    client.force_login(admin)
    case.other_saves(admin)
    theirs = {
        name: case.theirs if value == case.mine else value for name, value in case.typed.items()
    }
    assert client.post(case.url, theirs | {"version": "1"}).status_code == 303
    assert case.stored() == case.theirs


def test_notes_that_differ_at_their_end_only_are_a_difference(client: Client, admin: Any) -> None:
    rack = Rack.objects.create(site=make_site(), name="B07", notes="x" * 3000 + "theirs", version=2)
    client.force_login(admin)
    typed = {"site": rack.site_id, "name": "B07", "units": "42", "notes": "x" * 3000 + "mine"}
    response = client.post(f"/racks/{rack.pk}/edit", typed | {"version": "1"})
    assert response.status_code == 409
    rack.refresh_from_db()
    assert rack.notes.endswith("theirs")


def test_a_typed_password_is_never_shown_and_is_not_stored_stale(
    client: Client, admin: Any
) -> None:
    case = profile_case(admin)
    client.force_login(admin)
    case.other_saves(admin)
    same = case.typed | {"username": "theirs", "password": "canary-Pa55", "version": "1"}
    response = client.post(case.url, same)
    assert response.status_code == 409
    text = response.content.decode()
    assert "canary-Pa55" not in text
    assert "type it again" in text
    assert CredentialProfile.objects.get().credential().password.reveal() == "secret"
    gone = make_profile()
    url = f"/profiles/{gone.pk}/edit"
    gone.delete()
    assert "canary-Pa55" not in client.post(url, same).content.decode()


def test_an_outsider_learns_nothing_of_what_is_gone_or_foreign(
    client: Client, outsider: Any, web: Any
) -> None:
    foreign = make_server(name="web-1", cluster=web)
    client.force_login(outsider)
    typed = {"name": "typed"}
    answers = [client.post(f"/servers/{pk}/edit", typed) for pk in (foreign.pk, 999_999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    bodies = [re.sub(r"csrf\w+[^>]*>|content=\"[^\"]+\"|data-now=\"[^\"]+\"|/servers/\d+/", "",
                     answer.content.decode()) for answer in answers]  # fmt: skip
    assert bodies[0] == bodies[1]
    assert "web-1" not in bodies[0]


def test_a_shared_bmc_makes_the_forms_of_its_other_servers_stale(
    client: Client, admin: Any, web: Any
) -> None:
    first = make_server(name="blade-1", cluster=web, address="127.0.0.9")
    second = make_server(name="blade-2", cluster=web, bmc=first.bmc)
    facts = replace(services.ServerFacts.of(first), address="127.0.0.10")
    services.server_update(actor=admin, server=first, facts=facts)
    second.refresh_from_db()
    assert second.version == 2
    entry = AuditEntry.objects.filter(object_id=str(second.pk)).latest("pk")
    assert (entry.before, entry.after) == ({"address": "127.0.0.9"}, {"address": "127.0.0.10"})
    client.force_login(admin)
    typed = {
        "name": "blade-2", "cluster": web.pk, "site": first.bmc.site_id, "address": "127.0.0.9",
        "port": "623", "suite": "auto", "version": "1",
    }  # fmt: skip
    assert client.post(f"/servers/{second.pk}/edit", typed).status_code == 409
    assert Bmc.objects.get().address == "127.0.0.10"
    third = replace(services.ServerFacts.of(first), address="127.0.0.10", model="R760")
    services.server_update(actor=admin, server=first, facts=third)
    second.refresh_from_db()
    assert second.version == 2, "what is not of the BMC is not theirs"
