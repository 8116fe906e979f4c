from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.clusters.models import Cluster, Site
from apps.core.testing import api_client, make_cluster, make_rack, make_server, make_site

pytestmark = pytest.mark.django_db

KINDS: list[tuple[str, type[Site] | type[Cluster]]] = [("sites", Site), ("clusters", Cluster)]


@pytest.mark.parametrize(("noun", "kind"), KINDS)
def test_an_admin_adds_reads_renames_and_removes(admin: User, noun: str, kind: Any) -> None:
    client = api_client(admin)
    made = client.post(f"/api/{noun}/", {"name": "fra"})
    assert (made.status_code, made["ETag"]) == (201, '"v1"')
    url = made.json()["url"]
    assert made["Location"] == url
    assert client.get(url).json() == made.json()

    renamed = client.patch(url, {"name": "muc"}, headers={"If-Match": '"v1"'})
    assert (renamed.status_code, renamed["ETag"], renamed.json()["version"]) == (200, '"v2"', 2)
    assert client.get(url)["ETag"] == '"v2"'

    assert client.delete(url, headers={"If-Match": '"v2"'}).status_code == 204
    assert client.get(url).status_code == 404
    actions = AuditEntry.objects.order_by("pk").values_list("action", "before", "after")
    noun = noun[:-1]
    assert list(actions) == [
        (f"clusters.{noun}.create", None, {"name": "fra"}),
        (f"clusters.{noun}.update", {"name": "fra"}, {"name": "muc"}),
        (f"clusters.{noun}.delete", {"name": "muc"}, None),
    ]


@pytest.mark.parametrize(("noun", "kind"), KINDS)
def test_a_stale_version_changes_nothing_and_shows_the_difference(
    admin: User, noun: str, kind: Any
) -> None:
    client = api_client(admin)
    url = client.post(f"/api/{noun}/", {"name": "fra"}).json()["url"]
    client.put(url, {"name": "muc"})

    for answer in (
        client.put(url, {"name": "ber"}, headers={"If-Match": '"v1"'}),
        client.patch(url, {"name": "ber", "version": 1}),
        client.patch(url, {"name": "ber", "version": 2}, headers={"If-Match": '"v7", "v8"'}),
    ):
        told = answer.json()
        assert (answer.status_code, told["code"], told["current_version"]) == (412, "stale", 2)
        assert told["differences"] == {"name": {"yours": "ber", "current": "muc"}}
        assert answer["ETag"] == '"v2"'
    assert client.delete(url, headers={"If-Match": '"v1"'}).status_code == 412
    assert kind.objects.get(name="muc").version == 2
    assert client.patch(url, {"name": "ber"}, headers={"If-Match": '"v1", "v2"'}).status_code == 200
    assert client.patch(url, {"name": "cgn"}, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("header", ["3", "v3", '"3"', '"v"', '"v1', "'v1'", '"v1" "v2"', ""])
def test_an_if_match_that_cannot_be_read_is_refused_never_passed_over(
    admin: User, header: str
) -> None:
    site = make_site("fra")
    client = api_client(admin)
    answer = client.patch(f"/api/sites/{site.pk}", {"name": "x"}, HTTP_IF_MATCH=header)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert Site.objects.get().name == "fra"


def test_what_is_read_can_be_sent_back_and_changes_nothing(admin: User) -> None:
    site = make_site("fra")
    client = api_client(admin)
    url = f"/api/sites/{site.pk}"
    assert client.put(url, client.get(url).json()).json()["version"] == 1
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("noun", ["sites", "clusters"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "It is empty."),
        (7, "A text is expected."),
        (None, "null"),
        (["a"], "A text is expected."),
        ("x" * 65, "At most 64 characters."),
        ("a\nb", "cannot be seen"),
        ("\u202eabc", "cannot be seen"),
        ("taken", "taken"),
    ],
)
def test_a_name_that_cannot_be(admin: User, noun: str, name: Any, words: str) -> None:
    make_site("taken")
    make_cluster("taken")
    answer = api_client(admin).post(f"/api/{noun}/", {"name": name})
    assert answer.status_code == 422
    assert words in " ".join(answer.json()["errors"]["name"])
    assert Site.objects.count() == Cluster.objects.count() == 1


def test_html_in_a_name_stays_what_it_is(admin: User) -> None:
    name = "<script>alert(1)</script>"
    assert api_client(admin).post("/api/sites/", {"name": name}).json()["name"] == name


def test_a_field_nobody_knows_is_an_error(admin: User) -> None:
    answer = api_client(admin).post("/api/sites/", {"name": "fra", "nmae": "x"})
    assert answer.json()["errors"] == {"nmae": ["There is no such field."]}
    assert not Site.objects.exists()


def test_what_is_in_use_is_not_removed(admin: User, operator: User, web: Cluster) -> None:
    client = api_client(admin)
    site = make_site("fra")
    server = make_server(site=site, cluster=make_cluster("db"))
    rack = make_rack(site=make_site("muc"))
    assert server.cluster is not None
    for url in (
        f"/api/sites/{site.pk}",
        f"/api/sites/{rack.site_id}",
        f"/api/clusters/{server.cluster_id}",
        f"/api/clusters/{web.pk}",  # people hold roles in it
    ):
        answer = client.delete(url)
        assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
        assert answer.json()["detail"] != answer.json()["title"]  # it says what
        assert client.get(url).status_code == 200
    assert not AuditEntry.objects.exists()


def test_people_see_what_they_reach(
    admin: User, operator: User, readonly: User, outsider: User, web: Cluster
) -> None:
    make_server(cluster=web, site=make_site("fra"))
    make_site("empty")

    def names(person: User, noun: str) -> list[str]:
        return [row["name"] for row in api_client(person).get(f"/api/{noun}/").json()["results"]]

    assert names(admin, "sites") == names(operator, "sites") == ["empty", "fra"]
    assert (names(readonly, "sites"), names(readonly, "clusters")) == (["fra"], ["web"])
    assert (names(outsider, "clusters"), names(admin, "clusters")) == (
        ["elsewhere"],
        ["elsewhere", "web"],
    )


def test_a_foreign_cluster_looks_exactly_like_a_missing_one(outsider: User, web: Cluster) -> None:
    client = api_client(outsider)
    for call in (client.get, client.delete, client.put, client.patch):
        foreign, missing = (call(f"/api/clusters/{pk}").json() for pk in (web.pk, 999_999))
        foreign.pop("request_id"), missing.pop("request_id")
        assert foreign == missing
        assert foreign["code"] == "not_found"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("nmae=x", "nmae"),
        ("page=0", "page"),
        ("page=two", "page"),
        ("page=9", "page"),
        ("page_size=201", "page_size"),
        ("page_size=-1", "page_size"),
        ("page_size=" + "9" * 5000, "page_size"),
        ("page=1&page=2", "page"),
        ("ordering=password", "ordering"),
        ("q=" + "x" * 101, "q"),
        ("q=a%00b", "q"),
        ("format=xml", "format"),
    ],
)
def test_a_parameter_without_a_meaning_is_refused_never_passed_over(
    admin: User, query: str, field: str
) -> None:
    answer = api_client(admin).get(f"/api/sites/?{query}")
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_pages_lead_to_each_other(admin: User) -> None:
    for number in range(5):
        make_site(f"s{number}")
    client = api_client(admin)
    url, names = "http://testserver/api/sites/?page_size=2&ordering=-name", []
    while url:
        page = client.get(url).json()
        assert page["count"] == 5
        names += [row["name"] for row in page["results"]]
        url = page["next"]
    assert names == ["s4", "s3", "s2", "s1", "s0"]
    assert client.get("/api/sites/?page=2&page_size=2&q=s").json()["previous"] is not None
