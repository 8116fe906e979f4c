from __future__ import annotations

import time
from random import Random

from apps.bmc.rmcp import wire
from apps.bmc.rmcp.crypto import SUITES, Keys
from apps.bmc.values import CipherSuite
from apps.simulator.bmc import SimulatedBmc
from apps.simulator.chassis import Chassis
from apps.simulator.link import garbled, truncated
from apps.simulator.profiles import PROFILES, Lag
from apps.simulator.protocol import handle_datagram
from apps.simulator.sessions import Session, SessionTable, SimulatedUser
from apps.simulator.state import BmcState
from apps.simulator.tests.scripted import ScriptedClient

PEER = ("127.0.0.1", 1)


def make_state(random: Random) -> tuple[BmcState, Session]:
    """A BMC with one open administrator session, without a socket."""
    profile = PROFILES["dell-idrac9"]
    user = SimulatedUser("portal", "secret")
    state = BmcState(
        0, profile, Chassis(Lag(0, 0, 0, 0)), SessionTable(4, 60.0), random, {b"portal": user}
    )
    suite = SUITES[CipherSuite.SHA256]
    session = state.sessions.begin(7, suite, 4, time.monotonic(), 32)
    session.user = user
    state.sessions.activate(session, Keys(suite, b"key"))
    session.privilege = 4
    return state, session


def test_no_mutated_or_random_datagram_raises_and_none_switches_power() -> None:
    random = Random(20261123)
    state, session = make_state(random)
    suite = SUITES[CipherSuite.SHA1]
    status = wire.build_request(0, 1, b"", 1)
    assert session.keys
    seeds = [
        wire.build_presence_ping(1),
        wire.build_sessionless(wire.build_request(6, 0x38, b"\x8e\x04", 1)),
        wire.build_sessionless(wire.build_request(6, 0x54, b"\x0e\x00\x80", 1)),
        wire.build_setup(wire.PAYLOAD_IPMI, status),
        wire.build_open_request(wire.OpenRequest(1, 4, 9, suite.algorithms)),
        wire.build_rakp1(wire.Rakp1(1, session.bmc_id, bytes(16), 0x14, b"portal")),
        wire.build_rakp3(wire.Rakp3(1, 0, session.bmc_id, bytes(20))),
        session.keys.seal(session.bmc_id, 1, status),
    ]
    for _ in range(20_000):
        datagram = garbled(random.choice(seeds), random)
        if random.random() < 0.2:
            datagram = truncated(datagram, random)
        outcome = handle_datagram(state, datagram, PEER, time.monotonic())
        assert outcome.reply or outcome.fate
    assert sum(state.counters.executed.values()) == 0


def test_no_command_or_data_in_a_good_session_raises() -> None:
    random = Random(20261124)
    state, session = make_state(random)
    assert session.keys
    for sequence in range(1, 10_000):
        netfn = random.choice([0x00, 0x06, random.randrange(0, 64)])
        data = random.randbytes(random.randrange(0, 12))
        message = wire.build_request(netfn, random.randrange(0, 0x60), data, sequence)
        if random.random() < 0.1:
            message = random.randbytes(random.randrange(0, 30))
        datagram = session.keys.seal(session.bmc_id, sequence, message)
        outcome = handle_datagram(state, datagram, PEER, time.monotonic())
        assert outcome.reply or outcome.fate


async def test_a_session_survives_a_shower_of_forged_datagrams(
    bmc: SimulatedBmc, session: ScriptedClient
) -> None:
    random = Random(1)
    good = session.sealed((0, 1))
    for _ in range(200):
        session.send(garbled(good, random))
    await bmc.wait_until(lambda bmc: bmc.counters.received >= 200)
    assert session.opened(await session.ask(good)).code == 0
