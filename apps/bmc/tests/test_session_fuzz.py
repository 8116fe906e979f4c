"""Bytes from a BMC are data (B5): no datagram gets an exception out of a session, in any state."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from ipaddress import ip_network
from time import monotonic

import pytest

from apps.bmc import BmcNotSent, BmcSessionLost, Credential, Privilege, Secret
from apps.bmc.policy import DestinationPolicy
from apps.bmc.rmcp import wire
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.crypto import SUITES, Handshake, Keys
from apps.bmc.rmcp.exchange import Account, Exchange
from apps.bmc.rmcp.parts import Timing
from apps.bmc.rmcp.session import Session
from apps.bmc.rmcp.states import LEGAL_MOVES, IllegalMoveError, SessionState
from apps.bmc.rmcp.transport import Transport
from apps.bmc.tests.hostile import mutate, proper_datagrams
from apps.bmc.values import PREFERRED_SUITES

FUZZ_PACKETS = int(os.environ.get("FUZZ_PACKETS", "20000"))
TARGET = ("127.0.0.1", 9)
ACCOUNT = Account(Credential("admin", Secret("secret123"), Privilege.OPERATOR))


class Recorder(Transport):
    """Keeps what would be sent, so that a test can answer it in the same turn."""

    def __init__(self) -> None:
        super().__init__(DestinationPolicy([ip_network("127.0.0.0/8")]), Counters())
        self.sent: list[bytes] = []

    def send(self, target: tuple[str, int], datagram: bytes) -> None:
        self.sent.append(datagram)


class Nobody:
    """An owner without interest."""

    def __init__(self) -> None:
        self.ended_in: SessionState | None = None

    def went_silent(self) -> None: ...
    def was_resent(self) -> bool:
        return False

    def answered_again(self) -> None: ...
    def sends_rakp3(self) -> None: ...
    def ended(self, session: Session) -> None:
        self.ended_in = session.state


class Scene:
    """A session led to a state by proper answers, and the answer that would come next."""

    def __init__(self) -> None:
        self.transport = Recorder()
        self.counters = Counters()
        self.owner = Nobody()
        self.session = Session(self.transport, TARGET, self.owner, Timing(), self.counters)
        self.login = self.session.login(ACCOUNT, PREFERRED_SUITES, 5.0)
        self.login.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.keys: Keys | None = None
        self.console_id = 0
        self.values: Handshake | None = None
        self.sequence = 0

    def opening(self) -> bytes:
        request = wire.parse_open_request(wire.parse_envelope(self.transport.sent[-1]).payload)
        self.console_id = request.console_id
        return wire.build_open_response(
            wire.OpenResponse(request.tag, 0, 0, request.console_id, 77, request.algorithms)
        )

    def rakp1(self) -> bytes:
        request = wire.parse_rakp1(wire.parse_envelope(self.transport.sent[-1]).payload)
        suite = SUITES[PREFERRED_SUITES[0]]
        random16 = bytes(16)
        self.values = Handshake(
            suite, self.console_id, 77, request.console_random, random16, random16,
            request.role, request.username,
        )  # fmt: skip
        code = self.values.rakp2_code(ACCOUNT.password)
        return wire.build_rakp2(
            wire.Rakp2(request.tag, 0, self.console_id, random16, random16, code)
        )

    def rakp3(self) -> bytes:
        request = wire.parse_rakp3(wire.parse_envelope(self.transport.sent[-1]).payload)
        assert self.values is not None
        key = self.values.session_key(ACCOUNT.kg)
        self.keys = Keys(self.values.suite, key)
        check = self.values.rakp4_check(key)
        return wire.build_rakp4(wire.Rakp4(request.tag, 0, self.console_id, check))

    def sealed_answer(self, data: bytes = b"\x04") -> bytes:
        assert self.keys is not None
        request = wire.parse_message(self.keys.open(self.transport.sent[-1])[2])
        self.sequence += 1
        answer = wire.build_response(request.netfn, request.command, 0, data, request.rq_seq)
        return self.keys.seal(self.console_id, self.sequence, answer)

    def lead_to(self, state: SessionState) -> Callable[[], bytes]:
        """Bring the session there; gives the maker of the next proper answer."""
        for step, make in (
            (SessionState.OPENING, self.opening),
            (SessionState.RAKP1, self.rakp1),
            (SessionState.RAKP3, self.rakp3),
            (SessionState.RAISING_PRIVILEGE, self.sealed_answer),
        ):
            if self.session.state is state:
                return make
            assert self.session.state is step
            assert self.session.datagram(make())
        future = self.session.request(0, 1, b"", 3.0)
        future.add_done_callback(lambda future: future.cancelled() or future.exception())
        if state is SessionState.CLOSING:
            self.session.close()
        assert self.session.state is state
        return self.sealed_answer

    def finish(self) -> None:
        if self.session.state not in (SessionState.CLOSED, SessionState.FAILED):
            self.session.abort(BmcSessionLost())
        self.transport.close()


ANSWERED_STATES = [
    SessionState.OPENING,
    SessionState.RAKP1,
    SessionState.RAKP3,
    SessionState.RAISING_PRIVILEGE,
    SessionState.OPEN,
    SessionState.CLOSING,
]


@pytest.mark.parametrize("state", ANSWERED_STATES)
async def test_fuzzed_packets_never_raise(state: SessionState) -> None:
    source = random.Random(state.value)
    proper = proper_datagrams()
    scene = Scene()
    answer = scene.lead_to(state)
    ends = 0
    for _ in range(FUZZ_PACKETS // len(ANSWERED_STATES)):
        if scene.session.state is not state:  # a mutation can be a proper refusal
            ends += 1
            scene.finish()
            scene = Scene()
            answer = scene.lead_to(state)
        kind = source.randint(0, 3)
        if kind == 0:
            data = source.randbytes(source.randint(0, 300))
        elif kind == 1:
            data = mutate(source.choice(proper), source)
        elif kind == 2:
            data = mutate(answer(), source)
        else:
            data = _odd_but_authentic(scene, source)
        assert scene.session.datagram(data) in (True, False)
    scene.finish()
    assert scene.counters.dropped.total() > 0
    assert ends < FUZZ_PACKETS


def _odd_but_authentic(scene: Scene, source: random.Random) -> bytes:
    """What a BMC with the right keys and wrong ideas sends."""
    if scene.keys is None:
        return source.randbytes(40)
    scene.sequence += 1
    message = source.randbytes(source.randint(0, 40))
    return scene.keys.seal(scene.console_id, scene.sequence, message)


@pytest.mark.parametrize("state", [SessionState.CLOSED, SessionState.FAILED])
async def test_a_session_that_is_over_takes_nothing(state: SessionState) -> None:
    scene = Scene()
    scene.lead_to(SessionState.CLOSING)
    if state is SessionState.CLOSED:
        scene.session.datagram(scene.sealed_answer())
    else:
        scene.finish()
    assert scene.session.state is state
    assert scene.owner.ended_in is state
    for datagram in proper_datagrams():
        assert not scene.session.datagram(datagram)
    scene.session.abort(BmcSessionLost())
    scene.transport.close()


def test_every_state_has_its_moves_and_only_final_ones_have_none() -> None:
    assert set(LEGAL_MOVES) == set(SessionState)
    assert [state for state, moves in LEGAL_MOVES.items() if not moves] == [SessionState.FAILED]


async def test_a_session_that_is_not_open_sends_nothing() -> None:
    scene = Scene()
    sent = len(scene.transport.sent)
    with pytest.raises(BmcSessionLost):
        scene.session.request(0, 1, b"", 1.0)
    with pytest.raises(BmcNotSent):
        scene.session.send_once(0, 2, b"\x03", monotonic() + 5, 1.0)
    assert len(scene.transport.sent) == sent
    scene.finish()


async def test_an_illegal_move_is_a_bug_that_shows() -> None:
    scene = Scene()
    with pytest.raises(IllegalMoveError):
        scene.session._move(SessionState.OPEN)
    assert repr(scene.session) == "<Session 127.0.0.1 opening>"
    scene.finish()


async def test_what_never_left_uses_up_no_sequence_number() -> None:
    scene = Scene()
    scene.lead_to(SessionState.OPEN)
    scene.session.datagram(scene.sealed_answer(b"\x00\x00\x00"))
    assert scene.keys is not None
    before = scene.keys.open(scene.transport.sent[-1])[1]
    for _ in range(40):
        with pytest.raises(BmcNotSent):
            scene.session.send_once(0, 2, b"\x03", monotonic() - 1, 1.0)
    pending = scene.session.send_once(0, 2, b"\x03", monotonic() + 5, 1.0)
    assert scene.keys.open(scene.transport.sent[-1])[1] == before + 1
    scene.session.datagram(scene.sealed_answer(b""))
    assert (await pending.wait()).code == 0
    scene.finish()


def test_rakp4_before_rakp2_is_not_an_answer_and_accounts_are_hidden() -> None:
    exchange = Exchange(ACCOUNT, SUITES[PREFERRED_SUITES[0]])
    request = wire.parse_open_request(wire.parse_envelope(exchange.open_request()).payload)
    answer = wire.build_rakp4(wire.Rakp4(request.tag, 0, exchange.console_id, bytes(16)))
    with pytest.raises(wire.WireError):
        exchange.keys(wire.parse_envelope(answer).payload)
    assert repr(ACCOUNT) == "<Account>"
