from __future__ import annotations

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.audit.idempotency import answer_once, answers_forget
from apps.audit.models import AuditEntry, IdempotentRequest
from apps.clusters.choices import Role
from apps.clusters.models import Site
from apps.core.dbtime import now_plus
from apps.core.testing import api_client, make_server, make_user
from apps.jobs.models import Job, JobTarget

DAY = 24 * 3600


def post(client: APIClient, path: str, body: Any, key: str) -> Any:
    return client.post(path, body, headers={"Idempotency-Key": key})


@pytest.mark.django_db
def test_the_same_request_again_gets_the_same_answer_and_acts_once(admin: User) -> None:
    client = api_client(admin)
    first = post(client, "/api/sites/", {"name": "fra"}, "k1")
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first
    again = client.post(
        "/api/sites",
        b' {"name" :"fra"}',
        content_type="application/json",
        headers={"Idempotency-Key": "k1"},
    )
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert (again["Location"], again["ETag"]) == (first["Location"], first["ETag"])
    assert Site.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.django_db
def test_another_request_with_the_key_is_refused_and_does_nothing(admin: User) -> None:
    client = api_client(admin)
    post(client, "/api/sites/", {"name": "fra"}, "k1")
    for path, body in (("/api/sites/", {"name": "muc"}), ("/api/clusters/", {"name": "fra"})):
        answer = post(client, path, body, "k1")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Site.objects.count() == 1


@pytest.mark.django_db
def test_keys_of_two_people_are_two_keys(admin: User) -> None:
    other = make_user("other", Role.ADMIN)
    for person, name in ((admin, "fra"), (other, "muc")):
        assert post(api_client(person), "/api/sites/", {"name": name}, "k1").status_code == 201
    assert Site.objects.count() == 2


@pytest.mark.django_db
def test_a_refused_request_may_be_corrected_with_its_key(admin: User, readonly: User) -> None:
    client = api_client(admin)
    assert post(client, "/api/sites/", {"name": ""}, "k1").status_code == 422
    assert post(api_client(readonly), "/api/sites/", {"name": "x"}, "k1").status_code == 403
    assert not IdempotentRequest.objects.exists()
    assert post(client, "/api/sites/", {"name": "fra"}, "k1").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "x" * 65, "\xe4", "a\tb"])
def test_what_cannot_be_a_key(admin: User, key: str) -> None:
    answer = api_client(admin).post("/api/sites/", {"name": "fra"}, HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert not Site.objects.exists()


@pytest.mark.django_db
def test_after_a_day_a_key_is_new_again(admin: User) -> None:
    client = api_client(admin)
    server = make_server()
    jobs = set()
    for _ in range(2):
        jobs.add(post(client, f"/api/servers/{server.pk}/power/on", {}, "nightly").json()["id"])
        IdempotentRequest.objects.update(created_at=now_plus(-DAY - 1))
    assert len(jobs) == Job.objects.count() == 2


@pytest.mark.django_db
def test_old_answers_are_forgotten_along_the_way(
    admin: User, django_capture_on_commit_callbacks: Any
) -> None:
    for age in (DAY + 60, DAY - 60):
        kept = IdempotentRequest.objects.create(user=admin, key=f"{age}", status=200)
        IdempotentRequest.objects.filter(pk=kept.pk).update(created_at=now_plus(-age))
    with django_capture_on_commit_callbacks(execute=True):
        post(api_client(admin), "/api/sites/", {"name": "fra"}, "k1")
    assert set(IdempotentRequest.objects.values_list("key", flat=True)) == {f"{DAY - 60}", "k1"}
    IdempotentRequest.objects.update(created_at=now_plus(-DAY - 60))
    assert (answers_forget(1), answers_forget(10), answers_forget(10)) == (1, 1, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["power/reset", "read"])
def test_fifty_parallel_posts_with_one_key_act_once(path: str) -> None:
    operator, server = make_user("operator", Role.OPERATOR), make_server()
    start = threading.Barrier(10)

    def click(_: int) -> tuple[int, str, bool]:
        client = api_client()
        client.force_login(operator)
        try:
            start.wait(timeout=20)
            answer = post(client, f"/api/servers/{server.pk}/{path}", {}, "one")
            return answer.status_code, answer.content.decode(), "Idempotency-Replayed" in answer
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as clicks:
        answers = list(clicks.map(click, range(50)))
    assert {status for status, _body, _again in answers} == {202}
    assert len({body for _status, body, _again in answers}) == 1
    assert Counter(again for _status, _body, again in answers) == {True: 49, False: 1}
    assert IdempotentRequest.objects.count() == 1
    if path == "read":
        return
    assert Job.objects.count() == JobTarget.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_crash_before_the_commit_leaves_neither_job_nor_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was done and its answer are one transaction: there is nothing between them."""
    operator, server = make_user("operator", Role.OPERATOR), make_server()
    client = api_client(operator)
    client.raise_request_exception = False
    path = f"/api/servers/{server.pk}/power/off"
    with monkeypatch.context() as broken:
        broken.setattr(IdempotentRequest, "save", _dies_at_the_end(IdempotentRequest.save))
        assert post(client, path, {}, "k1").status_code == 500
    assert not Job.objects.exists()
    assert not IdempotentRequest.objects.exists()
    assert post(client, path, {}, "k1").status_code == 202
    assert Job.objects.count() == 1


def _dies_at_the_end(save: Any) -> Any:
    def dying(self: IdempotentRequest, **kwargs: Any) -> None:
        if "update_fields" in kwargs:
            raise RuntimeError("kill -9")
        save(self, **kwargs)

    return dying


@pytest.mark.django_db
def test_a_first_request_that_is_still_at_work_is_409_with_the_time_to_wait(admin: User) -> None:
    """PostgreSQL gives up waiting for the key after `lock_timeout`."""

    class LockNotAvailable(Exception):
        sqlstate = "55P03"

    def locked(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("INSERT") and "idempotentrequest" in sql:
            raise OperationalError("canceling statement due to lock timeout") from (
                LockNotAvailable()
            )
        return execute(sql, *args)

    client = api_client(admin)
    with connection.execute_wrapper(locked):
        answer = post(client, "/api/sites/", {"name": "fra"}, "k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_progress")
    assert int(answer["Retry-After"]) > 0
    assert not Site.objects.exists()


@pytest.mark.django_db
def test_a_broken_rule_of_the_work_is_not_taken_for_a_repeated_key(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    Site.objects.create(name="fra")
    monkeypatch.setattr(
        "apps.clusters.serializers.SiteBody.validate_name", lambda _self, name: name
    )
    answer = post(api_client(admin), "/api/sites/", {"name": "fra"}, "k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert not IdempotentRequest.objects.exists()


@pytest.mark.django_db
def test_each_kept_request_has_a_uuid_of_its_own(admin: User) -> None:
    from apps.audit.idempotency import Answer, Asked

    given: list[uuid.UUID] = []

    def act(key: uuid.UUID) -> Answer:
        given.append(key)
        return Answer(200, "{}", {})

    for key in ("a", "b"):
        answer_once(Asked(admin, key, "POST", "/x", "h"), act)
    answer_once(Asked(admin, "a", "POST", "/x", "h"), act)
    assert len(set(given)) == len(given) == 2
    assert IdempotentRequest.objects.filter(created_at__lte=Now()).count() == 2
