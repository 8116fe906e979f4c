"""Another machine at the address: no command, no state, until a person accepts it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.test import Client

from apps.audit.models import AuditEntry
from apps.bmc import BmcRefused, BmcSession, Credential, Endpoint, PowerState, Secret
from apps.bmc import PowerAction as A
from apps.bmc.fake import FakeBmc
from apps.clusters.choices import Role
from apps.core.dbtime import now_plus
from apps.core.faults import fault_of
from apps.core.testing import make_cluster, make_server, make_user
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.inventory.services.machines import (
    Machine,
    MachineChanged,
    machine_accept,
    machine_answering,
)
from apps.jobs import tasks
from apps.jobs.choices import TargetState as S
from apps.jobs.models import CommandAttempt, JobTarget
from apps.jobs.tests.stage import ScriptedBmc, ScriptedPool, Stage, fleet_server, make_due
from apps.jobs.worker.access import Access
from apps.jobs.worker.identity import Identities, Seen, WrongMachine, is_recorded
from apps.jobs.worker.registry import worker_alive
from apps.power.poll import PowerPoll
from apps.power.services import identify_order, power_order
from apps.power.tests.test_poll import poll_once
from apps.power.tests.test_udp import running, servers_of, until
from apps.simulator.thread import FleetThread

pytestmark = pytest.mark.django_db(transaction=True)
MINE, OTHER, THIRD = "a" * 32, "b" * 32, "c" * 32
HTMX = {"HX-Request": "true"}

# ------------------------------------------------------------------ who is it


def access(guid: str = "", serial: str = "") -> Access:
    credential = Credential("admin", Secret("x"))
    return Access(1, (1,), Endpoint("127.0.0.1"), credential, guid, serial)


@pytest.mark.parametrize(
    ("guid", "serial", "seen", "expected"),
    [
        ("", "", Seen(), True),  # nothing on record
        ("", "", Seen(OTHER, "S2"), True),
        (MINE, "", Seen(MINE), True),
        (MINE, "", Seen(OTHER), False),
        (MINE, "S1", Seen(MINE, "S2"), True),  # the GUID decides: a FRU may be replaced
        (MINE, "S1", Seen(OTHER, "S1"), False),
        (MINE, "S1", Seen("", "S1"), True),  # this BMC offers no GUID now
        (MINE, "S1", Seen("", "S2"), False),
        ("", "S1", Seen(OTHER, "S1"), True),
        ("", "S1", Seen(OTHER, "S2"), False),
        ("", "S1", Seen("", "S2"), False),
        # Nothing of what is on record shows: better refused than to the wrong machine.
        (MINE, "", Seen(), False),
        (MINE, "", Seen("", "S2"), False),
        ("", "S1", Seen(OTHER, ""), False),
    ],
)
def test_the_first_thing_that_both_know_decides(
    guid: str, serial: str, seen: Seen, expected: bool
) -> None:
    assert is_recorded(access(guid, serial), seen) is expected


class Fru:
    """Counts how often the serial number is asked for."""

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self.reads = 0

    async def read(self, bmc: BmcSession) -> str:
        self.reads += 1
        return self.serial


def fake(guid: str = MINE) -> FakeBmc:
    bmc = FakeBmc()
    bmc.guid, bmc.is_open, bmc.logins = guid, True, 1
    return bmc


async def test_the_serial_is_asked_for_only_where_the_guid_does_not_decide() -> None:
    fru, bmc = Fru("S1"), fake()
    identities = Identities(fru.read)
    await identities.check(bmc, access(MINE, "S1"))
    assert fru.reads == 0
    assert (await identities.check(bmc, access("", "S1"), anew=True)).serial == "S1"
    bmc.fail("system_guid", BmcRefused(completion_code=0xC1))
    assert await identities.check(bmc, access(MINE, "S1"), anew=True) == Seen("", "S1")
    assert fru.reads == 2


async def test_another_serial_is_another_machine() -> None:
    identities = Identities(Fru("S2").read)
    with pytest.raises(WrongMachine) as refused:
        await identities.check(fake(OTHER), access("", "S1"))
    assert (refused.value.code, refused.value.params) == (
        "wrong_identity",
        {"guid": OTHER, "serial": "S2"},
    )


@pytest.mark.parametrize("guid", ["0" * 32, "f" * 32])
async def test_a_guid_of_nothing_is_none(guid: str) -> None:
    assert await Identities().check(fake(guid), access()) == Seen()
    with pytest.raises(WrongMachine):
        await Identities().check(fake(guid), access(MINE))


async def test_it_is_asked_once_a_login_and_compared_every_time() -> None:
    bmc, identities = fake(), Identities()
    for _ in range(3):
        await identities.check(bmc, access(MINE))
    assert bmc.reads == 1
    with pytest.raises(WrongMachine):  # the record changed meanwhile: that costs no read
        await identities.check(bmc, access(OTHER))
    assert bmc.reads == 1
    bmc.logins = 2
    await identities.check(bmc, access(MINE))
    assert bmc.reads == 2
    bmc.logins = 0  # the session ended: whoever answers next is unknown
    for _ in range(2):
        await identities.check(bmc, access(MINE))
    assert bmc.reads == 4


# ------------------------------------------------------------------ commands


@pytest.fixture
def server(transactional_db: None) -> Server:
    return fleet_server(name="db-a-07", guid=MINE)


@pytest.fixture
def w1(transactional_db: None) -> None:
    worker_alive("w1", "", "host", 1)


@pytest.fixture
def bmc(pool: ScriptedPool, server: Server) -> ScriptedBmc:
    bmc = pool.of(server)
    bmc.guid = OTHER
    return bmc


@pytest.mark.parametrize("action", list(A))
def test_every_action_is_refused_with_no_command(
    stage: Stage, server: Server, bmc: ScriptedBmc, action: A
) -> None:
    bmc.power = PowerState.OFF if action is A.ON else PowerState.ON
    power_order(server=server, action=action, actor=make_user(role=Role.OPERATOR))
    target = stage.run(JobTarget.objects.get())
    assert (target.state, target.result, bmc.controls) == (S.FAILED, "wrong_identity", [])
    assert target.result_params == {"guid": OTHER, "serial": ""}
    assert not CommandAttempt.objects.exists()


def test_the_light_of_another_machine_is_not_lit(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    identify_order(server=server, actor=make_user(role=Role.USER))
    target = stage.run(JobTarget.objects.get())
    assert (target.result, bmc.identify_seconds) == ("wrong_identity", 0)


def test_a_refused_command_makes_the_state_unknown(
    stage: Stage, server: Server, bmc: ScriptedBmc
) -> None:
    ServerStatus.objects.update(power="on", last_power="on", fault="", fault_at=None)
    power_order(server=server, action=A.OFF, actor=make_user(role=Role.OPERATOR))
    stage.run(JobTarget.objects.get())
    status = ServerStatus.objects.get()
    assert (status.power, status.fault, status.last_power) == ("unknown", "wrong_identity", "on")
    assert machine_answering(status) == Machine(OTHER, "")


def test_a_machine_that_changes_during_the_verification_proves_nothing(
    stage: Stage, pool: ScriptedPool, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.guid, bmc.lag_seconds = MINE, 3600
    power_order(server=server, action=A.OFF, actor=make_user(role=Role.OPERATOR))
    stage.step()
    bmc.guid, bmc.power = OTHER, PowerState.OFF  # the other machine is off
    bmc.logins += 1
    make_due()
    stage.step()
    assert JobTarget.objects.get().state == S.VERIFYING
    assert ServerStatus.objects.get().fault == "wrong_identity"


# ------------------------------------------------------------------ polling


def due() -> None:
    Bmc.objects.update(poll_due_at=Now())


def test_the_state_of_another_machine_is_not_shown_as_this_ones(
    w1: None, pool: ScriptedPool, server: Server, bmc: ScriptedBmc
) -> None:
    ServerStatus.objects.update(power="on", last_power="on", fault="", fault_at=None)
    bmc.power = PowerState.OFF
    poll_once(pool)
    status = ServerStatus.objects.get()
    assert (status.power, status.last_power, status.fault) == ("unknown", "on", "wrong_identity")
    assert Bmc.objects.get().guid == MINE


def test_a_new_login_is_compared_and_an_old_one_costs_nothing(
    w1: None, pool: ScriptedPool, server: Server, bmc: ScriptedBmc
) -> None:
    bmc.guid, poll = MINE, PowerPoll()
    for _ in range(3):
        due()
        poll_once(pool, poll)
    assert (bmc.logins, bmc.reads) == (1, 6)  # three states, one GUID, device and inventory
    bmc.guid = OTHER
    asyncio.run(pool.logout(Endpoint(server.bmc.address, server.bmc.port)))
    due()
    poll_once(pool, poll)
    assert bmc.logins == 2
    assert ServerStatus.objects.get().fault == "wrong_identity"


def test_in_doubt_it_is_asked_every_time_and_so_heals_without_a_login(
    w1: None, pool: ScriptedPool, server: Server, bmc: ScriptedBmc
) -> None:
    poll = PowerPoll()
    poll_once(pool, poll)
    assert ServerStatus.objects.get().fault == "wrong_identity"
    bmc.guid = MINE
    due()
    poll_once(pool, poll)
    status = ServerStatus.objects.get()
    assert (status.power, status.fault, bmc.logins) == ("on", "", 1)


def test_the_first_contact_records_the_guid(
    w1: None, pool: ScriptedPool, server: Server, bmc: ScriptedBmc
) -> None:
    Bmc.objects.update(guid="")
    poll_once(pool)
    assert Bmc.objects.get().guid == OTHER
    assert ServerStatus.objects.get().power == "on"


# ------------------------------------------------------------------ accepting it


def doubt(server: Server, guid: str = OTHER, serial: str = "") -> None:
    ServerStatus.objects.filter(pk=server.pk).update(
        power="unknown", fault="wrong_identity", fault_params={"guid": guid, "serial": serial}
    )


def test_accepting_records_the_machine_that_was_shown_and_forgets_the_old_one(
    w1: None, pool: ScriptedPool, server: Server, bmc: ScriptedBmc, operator: Any
) -> None:
    Bmc.objects.update(
        seen_serial="S1", vendor="Acme", product="X", firmware="1", poll_due_at=now_plus(60)
    )
    doubt(server, OTHER, "S2")
    machine_accept(actor=operator, server=server, machine=Machine(OTHER, "S2"), reason="new board")
    row = Bmc.objects.get()
    assert (row.guid, row.seen_serial, row.vendor, row.firmware) == (OTHER, "S2", "", "")
    status = ServerStatus.objects.get()
    assert (status.power, status.last_power, status.fault) == ("unknown", "unknown", "never_read")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.reason) == (
        "inventory.bmc.accept",
        operator,
        "new board",
    )
    assert entry.before == {"guid": MINE, "serial": "S1"}
    assert entry.after == {"guid": OTHER, "serial": "S2"}
    poll_once(pool)  # due at once
    assert ServerStatus.objects.get().power == "on"


@pytest.mark.parametrize(
    "machine", [Machine(THIRD), Machine(MINE), Machine(OTHER, "S2"), Machine()]
)
def test_only_what_answers_now_is_accepted(server: Server, operator: Any, machine: Machine) -> None:
    doubt(server)
    with pytest.raises(MachineChanged):
        machine_accept(actor=operator, server=server, machine=machine)
    assert Bmc.objects.get().guid == MINE
    assert not AuditEntry.objects.exists()


def test_where_nothing_is_wrong_there_is_nothing_to_accept(server: Server, operator: Any) -> None:
    with pytest.raises(MachineChanged):
        machine_accept(actor=operator, server=server, machine=Machine())
    assert Bmc.objects.get().guid == MINE


def test_a_third_machine_is_refused_like_the_second_was(
    stage: Stage, server: Server, bmc: ScriptedBmc, operator: Any
) -> None:
    doubt(server)
    machine_accept(actor=operator, server=server, machine=Machine(OTHER))
    bmc.guid = THIRD
    power_order(server=server, action=A.OFF, actor=operator)
    target = stage.run(JobTarget.objects.get())
    assert (target.result, bmc.controls) == ("wrong_identity", [])


def test_operators_of_every_server_behind_the_bmc_only(
    server: Server, operator: Any, user: Any
) -> None:
    doubt(server)
    with pytest.raises(PermissionDenied):
        machine_accept(actor=user, server=server, machine=Machine(OTHER))
    make_server(bmc=server.bmc, cluster=make_cluster("other"))
    with pytest.raises(PermissionDenied):
        machine_accept(actor=operator, server=server, machine=Machine(OTHER))
    assert Bmc.objects.get().guid == MINE


def url(server: Server) -> str:
    return f"/servers/{server.pk}/accept-machine"


@pytest.mark.parametrize(
    ("who", "status"), [("readonly", 403), ("user", 403), ("outsider", 404), ("operator", 200)]
)
def test_who_sees_the_question(
    client: Client, server: Server, who: str, status: int, request: pytest.FixtureRequest
) -> None:
    doubt(server)
    client.force_login(request.getfixturevalue(who))
    assert client.get(url(server)).status_code == status
    form = {"guid": OTHER, "serial": ""}
    assert client.post(url(server), form).status_code == (303 if status == 200 else status)
    assert Bmc.objects.get().guid == (OTHER if status == 200 else MINE)


def test_anonymous_is_sent_to_sign_in(client: Client, server: Server) -> None:
    assert client.get(url(server)).status_code == 302
    assert client.post(url(server), {"guid": OTHER}).status_code == 302


def test_the_page_and_the_dialog_show_both_machines(
    client: Client, server: Server, operator: Any
) -> None:
    doubt(server, OTHER, "<b>S2</b>")
    client.force_login(operator)
    page = client.get(server.get_absolute_url()).content.decode()
    assert "Another machine answers at this address." in page
    assert "Accept this machine…" in page
    for headers in ({}, HTMX):
        text = client.get(url(server), headers=headers).content.decode()
        for word in (MINE, OTHER, "serial &lt;b&gt;S2&lt;/b&gt;", "Check the cabling"):
            assert word in text
        assert ("<html" in text) is (not headers)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"guid": THIRD},
        {"guid": "x" * 33},
        {"guid": "\x00"},
        {"guid": OTHER, "serial": "S9"},
        {"guid": OTHER, "reason": "a\x07"},
    ],
)
def test_forged_and_old_forms_change_nothing(
    client: Client, server: Server, operator: Any, form: dict[str, str]
) -> None:
    doubt(server)
    client.force_login(operator)
    response = client.post(url(server), form, headers=HTMX)
    assert response.status_code == 422
    assert response.content.decode().lstrip().startswith("<dialog")
    assert Bmc.objects.get().guid == MINE


def test_without_doubt_there_is_no_button(client: Client, server: Server, operator: Any) -> None:
    client.force_login(operator)
    text = client.get(url(server)).content.decode()
    assert "there is nothing to accept" in text
    assert 'name="guid"' not in text
    assert "accept-machine" not in client.get(server.get_absolute_url()).content.decode()


def test_the_words_say_what_to_do() -> None:
    fault = fault_of("wrong_identity", {"guid": OTHER})
    assert fault.title == "Another machine answers at this address."
    assert "Check cabling and address" in fault.next_step


# ------------------------------------------------------------------ over UDP


@pytest.mark.timeout(120)
def test_two_machines_with_swapped_addresses_get_no_command_and_show_no_state(
    settings: Any,
) -> None:
    settings.POLL_WATCHED_SECONDS = 1
    with FleetThread(count=2) as simulated:
        servers = servers_of(simulated)
        guids = [bmc.guid for bmc in simulated.fleet]
        with running(tick_seconds=0.1):
            until(lambda: ServerStatus.objects.filter(power="on").count() == 2)
            until(lambda: set(Bmc.objects.values_list("guid", flat=True)) == set(guids))

        simulated.call(simulated.fleet.swap, 0, 1)
        with running(tick_seconds=0.1):
            actor = make_user(role=Role.OPERATOR)
            for server in servers:
                for action in A:
                    power_order(server=server, action=action, actor=actor)
                identify_order(server=server, actor=actor)
            tasks.ring()
            until(lambda: not JobTarget.objects.filter(ended_at=None).exists(), 60)
            ends = set(JobTarget.objects.values_list("state", "result"))
            assert ends == {(S.FAILED, "wrong_identity")}
            assert simulated.fleet.executed_count() == 0
            assert not CommandAttempt.objects.exists()
            assert not any(bmc.identify_on for bmc in simulated.fleet)
            until(lambda: ServerStatus.objects.filter(fault="wrong_identity").count() == 2)
            due()
            logins = simulated.fleet.login_count
            until(lambda: not Bmc.objects.filter(poll_due_at__lte=Now()).exists())
            assert set(ServerStatus.objects.values_list("power", flat=True)) == {"unknown"}
            assert simulated.fleet.login_count == logins

            simulated.call(simulated.fleet.swap, 0, 1)  # put right again: nobody need accept
            simulated.call(simulated.fleet[0].restart)
            simulated.call(simulated.fleet[1].restart)
            due()
            until(lambda: ServerStatus.objects.filter(power="on").count() == 2, 60)
        assert simulated.fleet.executed_count() == 0


def test_a_swap_in_the_middle_of_a_session_is_noticed_by_the_next_login() -> None:
    with FleetThread(count=2) as simulated, running(tick_seconds=0.1):
        servers = servers_of(simulated)
        until(lambda: ServerStatus.objects.filter(power="on").count() == 2)
        simulated.call(simulated.fleet.swap, 0, 1)
        due()
        until(lambda: ServerStatus.objects.filter(fault="wrong_identity").count() == 2, 40)
        power_order(server=servers[0], action=A.OFF, actor=make_user(role=Role.OPERATOR))
        until(lambda: not JobTarget.objects.filter(ended_at=None).exists())
        assert simulated.fleet.executed_count() == 0
