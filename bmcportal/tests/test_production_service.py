"""Production mode: separate processes on PostgreSQL and Redis, real UDP to simulated BMCs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from websockets.sync.client import connect

from apps.bmc import PowerAction, PowerState
from apps.simulator.thread import FleetThread
from bmcportal.tests.production import REDIS_URL, ROOT, Production, need_services, wait_until

# One process has them all: they share a Redis, and the processes that were started.
pytestmark = [pytest.mark.service, pytest.mark.xdist_group("production")]

SEED = """
import json
from apps.accounts.services import admin_ensure
from apps.bmc import Secret
from apps.clusters.models import Cluster, Site
from apps.inventory.models import Bmc, CredentialProfile, Server, ServerStatus
given = json.loads({given!r})
admin_ensure(username="admin", password={password!r}, reason="test")
site, cluster = Site.objects.create(name="A"), Cluster.objects.create(name="web")
profile = CredentialProfile(name="sim", username=given["username"], networks=["127.0.0.0/8"])
profile.secrets_set(password=Secret(given["password"]), kg=None)
profile.save()
for n, address in enumerate(given["addresses"]):
    bmc = Bmc.objects.create(site=site, address=address, port=given["port"], profile=profile)
    server = Server.objects.create(name=f"web-{{n}}", cluster=cluster, bmc=bmc)
    ServerStatus.objects.create(server=server)
"""
ORDER = """
from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.inventory.models import Server
from apps.power.services import power_order
server = Server.objects.get(name={name!r})
actor = User.objects.get(username="admin")
print("job", power_order(server=server, action=PowerAction({action!r}), actor=actor).pk)
"""
PASSWORD = "a-password-of-the-tests"


@pytest.fixture(scope="module")
def simulated() -> Iterator[FleetThread]:
    with FleetThread(count=6, network="127.41.0.0/24") as fleet:
        yield fleet


@pytest.fixture(scope="module")
def production(
    simulated: FleetThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    need_services()
    fleet = simulated.fleet
    given = {
        "username": fleet.username, "password": fleet.password, "port": fleet.port,
        "addresses": [bmc.address for bmc in fleet],
    }  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("production")
    with Production(folder, SWEEP_SECONDS="1", POLL_SECONDS="5") as running:
        running.python(SEED.format(given=json.dumps(given), password=PASSWORD))
        running.start_web()
        running.start_bmc_worker("bmc1")
        running.start_bmc_worker("bmc2")
        running.start_beat()
        wait_until(lambda: ready(running).get("is_ready"), 60, "ready")
        wait_until(lambda: workers(running) == 2, 60, "both workers")
        yield running


def workers(production: Production) -> int:
    """Return how many bmc workers live; ready is the portal with the first of them."""
    live = "SELECT count(*) FROM jobs_worker WHERE stopping_at IS NULL"
    return int(production.query(live)[0][0])


def ready(production: Production) -> dict[str, object]:
    try:
        answer: dict[str, object] = httpx.get(f"{production.url}/readyz", timeout=10).json()
    except httpx.TransportError:
        return {}
    return answer


def order(production: Production, name: str, action: PowerAction) -> int:
    found = re.search(r"job (\d+)", production.python(ORDER.format(name=name, action=action.value)))
    assert found
    return int(found.group(1))


def result(production: Production, job: int) -> str:
    """Return the final state of the job's only target, or nothing while it is open."""
    rows = production.query(
        "SELECT t.state FROM jobs_jobtarget t JOIN jobs_job j ON j.id = t.job_id "
        "WHERE j.id = %s AND j.finished_at IS NOT NULL", job,
    )  # fmt: skip
    return str(rows[0][0]) if rows else ""


@pytest.fixture
def client(production: Production) -> Iterator[httpx.Client]:
    """A browser without scripts, signed in as the admin."""
    with httpx.Client(base_url=production.url, timeout=20, follow_redirects=True) as browser:
        page = browser.get("/servers/")
        token = browser.cookies["csrftoken"]
        form = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = browser.post(page.url, data=form, headers={"Referer": production.url})
        assert answer.status_code == 200
        assert "web-0" in answer.text
        yield browser


@pytest.mark.timeout(180)
def test_an_order_goes_through_queue_worker_and_bmc_once(
    production: Production, simulated: FleetThread
) -> None:
    job = order(production, "web-0", PowerAction.SOFT_OFF)
    assert wait_until(lambda: result(production, job), 60, "the result") == "succeeded"
    bmc = simulated.fleet[0]
    assert bmc.executed_count() == bmc.executed_count(PowerAction.SOFT_OFF) == 1
    assert bmc.power is PowerState.OFF


@pytest.mark.timeout(180)
def test_both_workers_serve_and_each_bmc_has_one_session(
    production: Production, simulated: FleetThread
) -> None:
    rows = "SELECT count(*) FROM inventory_serverstatus WHERE power <> 'unknown'"
    wait_until(lambda: production.query(rows)[0][0] == 6, 60, "a reading of each")
    # After an outage they come back one after another.
    wait_until(lambda: workers(production) == 2, 60, "both workers")
    assert all(bmc.open_sessions <= 2 for bmc in simulated.fleet)


@pytest.mark.timeout(180)
def test_losing_everything_in_redis_costs_a_second_not_an_order(production: Production) -> None:
    redis.Redis.from_url(REDIS_URL).flushdb()
    job = order(production, "web-1", PowerAction.OFF)
    assert wait_until(lambda: result(production, job), 60, "the result") == "succeeded"


@pytest.mark.timeout(240)
def test_a_database_that_goes_away_costs_no_command_and_heals_without_a_restart(
    production: Production, simulated: FleetThread, client: httpx.Client
) -> None:
    before = simulated.fleet.executed_count()
    pids = {name: process.pid for name, process in production.processes.items()}
    production.doorway.shut()
    page = client.get("/servers/")
    assert page.status_code == 503
    assert "The database does not answer" in page.text
    assert "Nothing was changed and nothing was sent" in page.text
    assert httpx.get(f"{production.url}/healthz", timeout=10).status_code == 200
    state = httpx.get(f"{production.url}/readyz", timeout=30)
    assert state.status_code == 503
    assert "the database does not answer" in state.text
    production.doorway.open()
    wait_until(lambda: ready(production).get("is_ready"), 60, "ready again")
    assert client.get("/servers/").status_code == 200
    job = order(production, "web-2", PowerAction.SOFT_OFF)
    assert wait_until(lambda: result(production, job), 90, "the result") == "succeeded"
    assert simulated.fleet.executed_count() == before + 1
    assert {name: process.pid for name, process in production.processes.items()} == pids
    assert all(process.poll() is None for process in production.processes.values())


OUTAGE_SECONDS = 60
HEALED_SECONDS = 30


@pytest.mark.timeout(300)
def test_a_minute_without_the_database_in_the_middle_of_an_order_loses_and_repeats_nothing(
    production: Production, simulated: FleetThread
) -> None:
    bmc = simulated.fleet[4]
    job = order(production, "web-4", PowerAction.SOFT_OFF)
    production.doorway.shut()
    ends_at = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < ends_at:  # the whole minute: pages say so, nothing is sent twice
        page = httpx.get(f"{production.url}/account/sign-in", timeout=20)
        assert page.status_code in (200, 503)
        assert bmc.executed_count() <= 1
        time.sleep(1)
    production.doorway.open()
    wait_until(lambda: ready(production).get("is_ready"), HEALED_SECONDS, "ready again")
    assert wait_until(lambda: result(production, job), 120, "the result") == "succeeded"
    assert bmc.executed_count() == 1
    sent = "SELECT count(*) FROM jobs_commandattempt a JOIN jobs_jobtarget t ON t.id = a.target_id "
    rows = production.query(sent + "WHERE t.job_id = %s AND a.sent_at IS NOT NULL", job)
    assert rows[0][0] == 1


@pytest.mark.timeout(120)
def test_a_socket_about_which_nothing_happens_stays_open(
    production: Production, client: httpx.Client
) -> None:
    headers = {"Cookie": f"sessionid={client.cookies['sessionid']}", "Origin": production.url}
    address = production.url.replace("http", "ws", 1) + "/ws/live/"
    with connect(address, additional_headers=headers) as socket:
        socket.send(json.dumps({"subscribe": [2**40]}))  # nobody's: nothing will be told
        with pytest.raises(TimeoutError):
            socket.recv(timeout=12)
        socket.send(json.dumps({"subscribe": [first_server(production)]}))
        assert "<tbody" in str(socket.recv(timeout=10))


def first_server(production: Production) -> int:
    return int(production.query("SELECT min(id) FROM inventory_server")[0][0])


@pytest.mark.timeout(240)
def test_secrets_are_in_no_log(production: Production, simulated: FleetThread) -> None:
    for name in production.processes:
        log = production.log(name)
        assert simulated.fleet.password not in log
        assert PASSWORD not in log


@pytest.mark.timeout(180)
def test_a_stopped_worker_logs_out_and_the_other_serves_its_bmcs(
    production: Production, simulated: FleetThread
) -> None:
    process = production.processes["bmc1"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(70) == 0
    job = order(production, "web-3", PowerAction.SOFT_OFF)
    assert wait_until(lambda: result(production, job), 60, "the result") == "succeeded"
    process = production.processes["bmc2"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(70) == 0
    wait_until(lambda: simulated.fleet.open_sessions == 0, 10, "the logout")
    production.start_bmc_worker("bmc1")
    production.start_bmc_worker("bmc2")
    wait_until(lambda: workers(production) == 2, 60, "both workers")


@pytest.mark.timeout(120)
def test_a_bmc_worker_with_processes_is_refused_with_a_sentence(production: Production) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "bmcportal", "worker", "-Pprefork", "-Q", "bmc"],
        cwd=ROOT, env=production.environment, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode != 0
    assert "start it with --pool=threads" in done.stdout + done.stderr
