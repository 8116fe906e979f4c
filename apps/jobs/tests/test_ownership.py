from __future__ import annotations

from collections import Counter

import pytest

from apps.clusters.models import Site
from apps.core.dbtime import now_plus
from apps.core.testing import make_site
from apps.jobs.models import Worker
from apps.jobs.selectors import Serving, owner_of, workers_live
from apps.jobs.worker.registry import worker_alive, worker_gone, worker_stopping
from apps.jobs.worker.sweeper import workers_forget

WORKERS = [Serving(f"w{n}", None) for n in range(4)]


def test_every_bmc_has_one_owner_and_they_share_evenly() -> None:
    owners = Counter(owner_of(bmc, 1, WORKERS) for bmc in range(4000))
    assert set(owners) == {"w0", "w1", "w2", "w3"}
    assert min(owners.values()) > 850


def test_when_a_worker_goes_only_its_bmcs_move() -> None:
    for bmc in range(500):
        before, after = owner_of(bmc, 1, WORKERS), owner_of(bmc, 1, WORKERS[:3])
        assert before == after or before == "w3"


def test_a_worker_of_a_site_serves_that_site_only() -> None:
    here, there = Serving("here", 1), Serving("there", 2)
    assert {owner_of(bmc, 1, [here, there]) for bmc in range(50)} == {"here"}
    assert owner_of(1, 3, [here, there]) is None
    assert owner_of(1, 3, [here, Serving("all", None)]) == "all"


@pytest.mark.django_db
def test_a_worker_is_gone_after_20_s_without_a_heartbeat_and_comes_back() -> None:
    worker_alive("w1", "", "host", 1)
    assert list(workers_live()) == list(Worker.objects.all())
    Worker.objects.update(heartbeat_at=now_plus(-21))
    assert not workers_live().exists()
    assert workers_forget(20) == 1
    worker_alive("w1", "", "host", 1)
    assert workers_live().exists()


@pytest.mark.django_db
def test_a_worker_that_stops_gets_nothing_new_and_signs_off() -> None:
    worker_alive("w1", "", "host", 1)
    worker_stopping("w1")
    assert not workers_live().exists()
    worker_gone("w1")
    assert not Worker.objects.exists()


@pytest.mark.django_db
def test_a_restarted_worker_takes_over_its_name_at_once() -> None:
    worker_alive("w1", "", "host", 1)
    worker_stopping("w1")
    worker_alive("w1", "", "host", 2)
    assert workers_live().get().pid == 2


@pytest.mark.django_db
def test_a_worker_of_an_unknown_site_serves_nothing_until_the_site_exists() -> None:
    worker_alive("w1", "fra", "host", 1)
    assert not Worker.objects.exists()
    site: Site = make_site("fra")
    worker_alive("w1", "fra", "host", 1)
    assert Worker.objects.get().site == site
