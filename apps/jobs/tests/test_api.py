from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.clusters.models import Cluster
from apps.core.testing import api_client, make_cluster, make_server
from apps.inventory.models import Server
from apps.jobs.choices import TargetState
from apps.jobs.models import Job, JobTarget
from apps.jobs.services import job_create

pytestmark = pytest.mark.django_db


def job_of(actor: User, *servers: Server) -> Job:
    return job_create(kind="power", params={"action": "off"}, targets=servers, actor=actor)


@pytest.fixture
def job(admin: User, web: Cluster) -> Job:
    """Two servers of "web" and one of another cluster."""
    return job_of(
        admin,
        make_server(cluster=web),
        make_server(cluster=web),
        make_server(cluster=make_cluster()),
    )


def test_a_job_is_told_with_the_targets_one_sees_and_their_counts(
    admin: User, readonly: User, job: Job
) -> None:
    mine = api_client(readonly).get(f"/api/jobs/{job.pk}").json()
    assert (len(mine["targets"]), mine["counts"]) == (2, {"queued": 2})
    every = api_client(admin).get(f"/api/jobs/{job.pk}").json()
    assert (len(every["targets"]), every["counts"]) == (3, {"queued": 3})
    assert (every["kind"], every["params"], every["actor"]) == ("power", {"action": "off"}, "admin")
    assert every["finished_at"] is None
    target = every["targets"][0]
    assert (target["state"], target["is_final"], target["result"]) == ("queued", False, None)
    assert api_client(readonly).get(mine["targets_url"]).json()["count"] == 2
    assert api_client(readonly).get(mine["targets_url"] + "?state=sent").json()["count"] == 0


def test_a_result_is_told_in_words(admin: User, job: Job) -> None:
    JobTarget.objects.filter(pk=job.targets.order_by("pk").values("pk")[:1]).update(
        state=TargetState.FAILED,
        result="unreachable",
        previous_power="on",
        ended_at="2026-01-01T00:00Z",
    )
    [failed] = api_client(admin).get(f"/api/jobs/{job.pk}/targets?state=failed").json()["results"]
    assert (failed["result"]["code"], failed["result"]["title"]) == (
        "unreachable", "BMC does not answer.",
    )  # fmt: skip
    assert (failed["previous_power"], failed["final_power"]) == ("on", None)


def test_jobs_are_listed_newest_first_and_filtered(
    admin: User, operator: User, outsider: User, job: Job, web: Cluster
) -> None:
    server = make_server(cluster=web)
    newer = job_of(operator, server)
    Job.objects.filter(pk=job.pk).update(finished_at="2026-01-01T00:00Z")
    client = api_client(operator)

    def found(query: str) -> list[int]:
        answer = client.get(f"/api/jobs/?{query}")
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    assert found("") == [newer.pk, job.pk]
    assert (
        found("state=open") == found(f"server={server.pk}") == found("actor=operator") == [newer.pk]
    )
    assert found("state=finished") == found("actor=admin&kind=power") == [job.pk]
    assert found("created_after=2099-01-01T00:00:00Z") == []
    for query in ("state=x", "server=99999", "created_after=soon", "created_after=x%00", "kid=1"):
        assert client.get(f"/api/jobs/?{query}").status_code == 422
    assert api_client(outsider).get("/api/jobs/").json()["count"] == 0


def test_a_list_asks_as_often_for_forty_as_for_one(
    operator: User, web: Cluster, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    server = make_server(cluster=web)
    for _ in range(40):
        job_of(operator, server)
    client = api_client(operator)
    with django_assert_max_num_queries(8):
        page = client.get("/api/jobs/").json()
    assert {row["counts"]["queued"] for row in page["results"]} == {1}


def test_a_foreign_job_is_a_missing_one(outsider: User, job: Job) -> None:
    client = api_client(outsider)
    for path in ("", "/targets"):
        assert client.get(f"/api/jobs/{job.pk}{path}").status_code == 404
    assert client.post(f"/api/jobs/{job.pk}/stop", {}).status_code == 404


def test_stop_means_stop_and_twice_is_once(admin: User, job: Job) -> None:
    client = api_client(admin)
    answer = client.post(f"/api/jobs/{job.pk}/stop", {})
    told = answer.json()
    assert (answer.status_code, told["stopped_count"]) == (200, 3)
    assert told["job"]["counts"] == {"cancelled": 3}
    assert told["job"]["stop_requested_at"] is not None
    assert {one["result"]["code"] for one in told["job"]["targets"]} == {"stopped"}
    assert client.post(f"/api/jobs/{job.pk}/stop/", {}).json()["stopped_count"] == 0


def test_who_may_see_a_job_may_not_stop_it(operator: User, readonly: User, job: Job) -> None:
    for person in (readonly, operator):  # one server is not the operator's
        answer = api_client(person).post(f"/api/jobs/{job.pk}/stop", {})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not JobTarget.objects.exclude(state=TargetState.QUEUED).exists()
