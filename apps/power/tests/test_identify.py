from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from apps.bmc import BmcBusy, BmcRefused, BmcUnreachable, PowerState
from apps.bmc import PowerAction as A
from apps.clusters.choices import Role
from apps.core.testing import make_user
from apps.inventory.models import Server, ServerStatus
from apps.jobs import tasks
from apps.jobs.choices import TargetState as S
from apps.jobs.handlers import Again, Case, End, Go, Reading
from apps.jobs.models import Job, JobTarget
from apps.jobs.services import RequestKeyReused, job_create
from apps.jobs.tests.stage import ScriptedBmc, ScriptedPool, Stage, fleet_server, pass_time
from apps.power.choices import PowerResult as R
from apps.power.identify import IdentifyHandler
from apps.power.pages import current_lines
from apps.power.services import identify_order, power_order
from apps.power.tests.test_udp import is_over, running, servers_of, until
from apps.simulator.thread import FleetThread

pytestmark = pytest.mark.django_db(transaction=True)
handler = IdentifyHandler()
HTMX = {"HX-Request": "true"}
LIT, DARK, UNTOLD = (Reading(PowerState.ON, {"light": light}) for light in (True, False, None))


# ------------------------------------------------------------------ the handler


@pytest.mark.parametrize("seconds", [0, 1, 15, 255])
def test_times_that_a_bmc_takes(seconds: int) -> None:
    handler.check_params({"seconds": seconds})
    assert handler.command({"seconds": seconds}) == f"identify {seconds} s"


@pytest.mark.parametrize("seconds", [-1, 256, 10**9, "15", 1.5, True, None])
def test_times_that_make_no_job(seconds: object) -> None:
    with pytest.raises(ValueError, match="0 to 255"):
        handler.check_params({"seconds": seconds})


@pytest.mark.parametrize(
    ("seconds", "reading", "expected"),
    [
        (15, DARK, Go()),
        (15, LIT, Go()),  # prolonged
        (15, UNTOLD, Go()),
        (0, LIT, Go()),
        (0, UNTOLD, Go()),
        (0, DARK, End(S.SKIPPED, R.LIGHT_OFF)),
    ],
)
def test_what_is_needed(seconds: int, reading: Reading, expected: Go | End) -> None:
    assert handler.precheck({"seconds": seconds}, reading) == expected


DONE, ACCEPTED = End(S.SUCCEEDED, R.VERIFIED), End(S.ACCEPTED, R.NOT_READABLE)
ANSWERED, LATE = {"was_answered": True}, {"is_overdue": True}


@pytest.mark.parametrize(
    ("seconds", "reading", "known", "expected"),
    [
        (15, LIT, ANSWERED, DONE),
        (0, DARK, ANSWERED, DONE),
        (15, UNTOLD, ANSWERED, ACCEPTED),
        (15, DARK, ANSWERED, Again(1.0)),
        (15, None, ANSWERED, Again(1.0)),
        (1, DARK, ANSWERED | {"sent_seconds": 3.0}, ACCEPTED),  # out again when it was read
        (15, DARK, ANSWERED | LATE, End(S.FAILED, R.NOT_REACHED)),
        (0, LIT, ANSWERED | LATE, End(S.FAILED, R.NOT_REACHED)),
        (15, None, ANSWERED | LATE, ACCEPTED),
        (15, LIT, {}, Again(5.5, is_wanted=True)),
        (15, LIT, {"was_wanted": True}, DONE),
        (15, DARK, {}, Again(1.0)),
        (15, DARK, LATE, End(S.UNKNOWN, R.NO_EVIDENCE)),
        (15, UNTOLD, LATE, End(S.UNKNOWN, R.NO_EVIDENCE)),
        (15, None, LATE, End(S.UNKNOWN, R.NO_EVIDENCE)),
    ],
)
def test_verdicts(
    seconds: int, reading: Reading | None, known: dict[str, Any], expected: Again | End
) -> None:
    facts: dict[str, Any] = {
        "evidence": {}, "was_answered": False, "was_wanted": False, "is_overdue": False,
        "sent_seconds": 0.5,
    }  # fmt: skip
    case = Case(params={"seconds": seconds}, reading=reading, **(facts | known))
    assert handler.judge(case) == expected


# ------------------------------------------------------------------ the engine


@pytest.fixture
def server(transactional_db: None) -> Server:
    return fleet_server(name="db-a-07")


@pytest.fixture
def bmc(pool: ScriptedPool, server: Server) -> ScriptedBmc:
    return pool.of(server)


def order(server: Server, seconds: int = 15) -> JobTarget:
    actor = make_user(role=Role.USER)
    job = identify_order(server=server, actor=actor, seconds=seconds)
    return JobTarget.objects.select_related("job").get(job=job)


def test_it_is_lit_and_the_power_is_left_alone(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    target = stage.run(order(server, 30))
    assert (bmc.identify_seconds, bmc.controls) == (30, [])
    assert target.state in (S.SUCCEEDED, S.ACCEPTED)
    assert ServerStatus.objects.get().transition == ""


@pytest.mark.parametrize(
    ("error", "state", "result"),
    [
        (BmcRefused(completion_code=0xC1), S.FAILED, "refused"),
        (BmcBusy(completion_code=0xC0), S.QUEUED, ""),  # tried again
        (BmcUnreachable(), S.VERIFYING, ""),
    ],
)
def test_what_the_bmc_says(
    stage: Stage,
    server: Server,
    bmc: ScriptedBmc,
    error: Exception,
    state: S,
    result: str,
) -> None:
    bmc.fail("identify", error)  # type: ignore[arg-type]  # all are BmcError
    target = order(server)
    stage.step()
    target.refresh_from_db()
    assert (target.state, target.result) == (state, result)


def test_a_light_puts_no_earlier_command_in_doubt(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.lag_seconds = 3600
    actor = make_user(role=Role.OPERATOR)
    soft = JobTarget.objects.get(job=power_order(server=server, action=A.SOFT_OFF, actor=actor))
    stage.step()
    stage.run(order(server))
    bmc.power = PowerState.OFF
    soft = stage.run(soft)
    assert (soft.state, soft.result) == (S.SUCCEEDED, R.VERIFIED)


def test_a_later_power_command_does_not_unlight_it(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.fail("identify", BmcUnreachable())
    light = order(server)
    stage.step()
    power_order(server=server, action=A.NMI, actor=make_user(role=Role.OPERATOR))
    stage.step()
    pass_time(20)
    light = stage.run(light)
    assert light.result != "superseded"


# ------------------------------------------------------------------ the service


def test_who_may(server: Server, request: pytest.FixtureRequest) -> None:
    for who, may in (
        ("admin", True), ("operator", True), ("user", True), ("readonly", False),
        ("outsider", False),
    ):  # fmt: skip
        person = request.getfixturevalue(who)
        if may:
            assert identify_order(server=server, actor=person).params == {"seconds": 15}
        else:
            with pytest.raises(PermissionDenied):
                identify_order(server=server, actor=person)


def test_pressed_twice_it_is_one_order_until_it_is_sent(server: Server, user: Any) -> None:
    first = identify_order(server=server, actor=user)
    assert identify_order(server=server, actor=user) == first
    assert identify_order(server=server, actor=user, seconds=0) != first
    JobTarget.objects.filter(job=first).update(state=S.SUCCEEDED, ended_at=timezone.now())
    assert identify_order(server=server, actor=user) != first


def test_a_request_key_counts_as_elsewhere(server: Server, user: Any) -> None:
    key = uuid.uuid4()
    first = identify_order(server=server, actor=user, request_key=key)
    assert identify_order(server=server, actor=user, request_key=key) == first
    with pytest.raises(RequestKeyReused):
        identify_order(server=server, actor=user, seconds=1, request_key=key)


# ------------------------------------------------------------------ the page


def url(server: Server) -> str:
    return f"/servers/{server.pk}/identify"


@pytest.mark.parametrize(
    ("who", "status"),
    [("admin", 303), ("operator", 303), ("user", 303), ("readonly", 403), ("outsider", 404)],
)
def test_roles(
    client: Client, server: Server, who: str, status: int, request: pytest.FixtureRequest
) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.post(url(server)).status_code == status
    assert Job.objects.exists() is (status == 303)


def test_anonymous_and_get(client: Client, server: Server, user: Any) -> None:
    assert client.post(url(server)).status_code == 302
    client.force_login(user)
    assert client.get(url(server)).status_code == 405
    assert not Job.objects.exists()


def test_one_press_without_a_question(client: Client, server: Server, user: Any) -> None:
    client.force_login(user)
    text = client.get(server.get_absolute_url()).content.decode()
    assert f'<form method="post" action="{url(server)}"' in text
    response = client.post(url(server), headers=HTMX)
    assert response.status_code == 202
    assert "Asked for the identify light of db-a-07." in response.content.decode()
    assert 'hx-swap-oob="beforeend"' in response.content.decode()
    assert (
        "Identify light for 15 s ordered" in client.get(server.get_absolute_url()).content.decode()
    )


@pytest.mark.parametrize("seconds", ["256", "-1", "x", "1.5", "\x00", "<b>", "9" * 5000])
def test_other_times_are_refused_in_words(
    client: Client, server: Server, user: Any, seconds: str
) -> None:
    client.force_login(user)
    response = client.post(url(server), {"seconds": seconds}, headers=HTMX)
    assert response.status_code == 422
    assert "The light takes 0 to 255 seconds. Nothing has been sent." in response.content.decode()
    assert client.post(url(server), {"seconds": seconds}).status_code == 303
    text = client.get(server.get_absolute_url()).content.decode()
    assert "The light takes 0 to 255 seconds." in text
    assert not Job.objects.exists()


def test_while_it_is_lit_it_can_be_turned_off(client: Client, server: Server, user: Any) -> None:
    target = order(server)
    JobTarget.objects.update(state=S.SUCCEEDED, ended_at=timezone.now(), result="verified")
    client.force_login(user)
    [line] = current_lines(server)
    assert line.button is not None
    assert (line.button.url, line.button.fields) == (url(server), {"seconds": 0})
    assert "Identify light for 15 s: verified" in line.text
    client.post(url(server), line.button.fields)
    assert Job.objects.latest("pk").params == {"seconds": 0}
    JobTarget.objects.filter(pk=target.pk).update(ended_at="2026-01-01T00:00:00Z")
    assert "Identify light off ordered" in current_lines(server)[0].text


def test_a_light_does_not_hide_how_the_last_power_order_ended(server: Server, user: Any) -> None:
    power_order(server=server, action=A.ON, actor=user)
    done = {"state": S.SUCCEEDED, "ended_at": timezone.now(), "result": "verified"}
    JobTarget.objects.update(**done, final_power="on")
    order(server)
    texts = [line.text for line in current_lines(server)]
    assert len(texts) == 2
    assert "On, verified" in texts[0]
    assert "Identify light" in texts[1]


# ------------------------------------------------------------------ over UDP


def test_over_udp_it_is_seen_to_be_lit_and_turned_off() -> None:
    with FleetThread(count=1) as simulated, running(tick_seconds=0.05):
        [server] = servers_of(simulated)
        actor = make_user(role=Role.USER, cluster=server.cluster)
        for seconds in (60, 0):
            job = identify_order(server=server, actor=actor, seconds=seconds)
            tasks.ring()
            until(lambda job=job: is_over(job))  # type: ignore[misc]  # bound now
            assert simulated.fleet[0].identify_on is (seconds > 0)
            target = JobTarget.objects.get(job=job)
            assert (target.state, target.result) == (S.SUCCEEDED, "verified")
        assert simulated.fleet.executed_count() == 0


def test_a_kind_of_its_own_takes_no_power_params(server: Server, user: Any) -> None:
    with pytest.raises(ValueError, match="0 to 255"):
        job_create(kind="identify", params={"action": "off"}, targets=[server], actor=user)
