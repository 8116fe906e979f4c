"""Open Session and RAKP 1-4 from the BMC's side (IPMI 2.0 §13.17-13.24)."""

from __future__ import annotations

import hmac
import os
from typing import Final

from apps.bmc.rmcp import wire
from apps.bmc.rmcp.crypto import SUITES, Handshake, Keys, Suite
from apps.bmc.values import Privilege
from apps.simulator.profiles import Profile
from apps.simulator.sessions import Session
from apps.simulator.state import BmcState, Outcome

NO_RESOURCES: Final = 0x01
INVALID_SESSION: Final = 0x02
INVALID_ROLE: Final = 0x09
ROLE_TOO_HIGH: Final = 0x0A
NAME_TOO_LONG: Final = 0x0C
UNKNOWN_NAME: Final = 0x0D
BAD_INTEGRITY: Final = 0x0F
NO_SUITE: Final = 0x11
MAX_NAME: Final = 16


def handle_setup(state: BmcState, envelope: wire.Envelope, now: float) -> Outcome:
    """:raises WireError: the payload is not what the specification allows."""
    if not state.profile.speaks_ipmi20:
        return Outcome(f"payload {envelope.payload_type:#04x}", "no IPMI 2.0 here")
    if envelope.payload_type == wire.PAYLOAD_OPEN_REQUEST:
        return _open(state, wire.parse_open_request(envelope.payload), now)
    if envelope.payload_type == wire.PAYLOAD_RAKP1:
        return _rakp1(state, envelope.payload, now)
    if envelope.payload_type == wire.PAYLOAD_RAKP3:
        return _rakp3(state, wire.parse_rakp3(envelope.payload), now)
    return Outcome(f"payload {envelope.payload_type:#04x}", "not for a BMC")


def _suite_for(profile: Profile, algorithms: tuple[int, int, int]) -> Suite | None:
    for number in profile.suites:
        if SUITES[number].algorithms == algorithms:
            return SUITES[number]
    return None


def _open(state: BmcState, request: wire.OpenRequest, now: float) -> Outcome:
    state.counters.handshakes += 1
    suite = _suite_for(state.profile, request.algorithms)
    kind = f"open_session {suite.number if suite else request.algorithms}"

    def refuse(status: int) -> Outcome:
        answer = wire.OpenResponse(request.tag, status, 0, request.console_id, 0, (0, 0, 0))
        return Outcome(
            kind, "", f"open_session status={status:02x}", wire.build_open_response(answer)
        )

    if suite is None:
        return refuse(NO_SUITE)
    if state.sessions.is_full(now):
        state.counters.no_slot += 1
        return refuse(NO_RESOURCES)
    privilege = request.privilege or Privilege.ADMINISTRATOR
    session = state.sessions.begin(
        request.console_id, suite, privilege, now, state.profile.sequence_window
    )
    session.asked_privilege = request.privilege
    answer = wire.OpenResponse(
        request.tag,
        0,
        privilege,
        request.console_id,
        session.bmc_id,
        (0, 0, 0) if state.profile.downgrades else suite.algorithms,
    )
    return Outcome(kind, "", "open_session status=00", wire.build_open_response(answer))


def _refuse_rakp2(tag: int, status: int, console_id: int) -> Outcome:
    answer = wire.Rakp2(tag, status, console_id, b"", b"", b"")
    return Outcome("rakp1", "", f"rakp2 status={status:02x}", wire.build_rakp2(answer))


def _refuse_rakp4(tag: int, status: int, console_id: int) -> Outcome:
    answer = wire.Rakp4(tag, status, console_id, b"")
    return Outcome("rakp3", "", f"rakp4 status={status:02x}", wire.build_rakp4(answer))


def _hashed_role(profile: Profile, role: int, asked_privilege: int) -> int:
    return role & 0xF0 | asked_privilege if profile.hashes_open_privilege else role


def _rakp3_code(profile: Profile, handshake: Handshake, secret: bytes) -> bytes:
    if profile.pads_usernames:
        name = _name_of(profile, handshake.username)
        handshake = handshake._replace(username=name, role=handshake.role & 0x0F)
    return handshake.rakp3_code(secret)


def _name_of(profile: Profile, sent: bytes) -> bytes:
    """Return the name by which the user is looked up."""
    if not profile.pads_usernames:
        return sent
    return sent.rstrip(b"\0") if len(sent) == MAX_NAME else b""


def _rakp1(state: BmcState, payload: bytes, now: float) -> Outcome:
    if len(payload) >= 28 and payload[27] > 16:
        return _refuse_rakp2(payload[0], NAME_TOO_LONG, 0)
    request = wire.parse_rakp1(payload)
    session = state.sessions.half_open(request.bmc_id, now)
    if session is None:
        return _refuse_rakp2(request.tag, INVALID_SESSION, 0)
    if session.handshake is not None and state.profile.strict_handshake:
        state.sessions.end(session.bmc_id)
        return Outcome("rakp1", "resent: session killed")
    status, user = 0, state.user_for(_name_of(state.profile, request.username))
    role = request.role & 0x0F
    if user is None:
        status = UNKNOWN_NAME
    elif not Privilege.CALLBACK <= role <= Privilege.ADMINISTRATOR:
        status = INVALID_ROLE
    elif role > min(user.privilege, session.max_privilege):
        status = ROLE_TOO_HIGH
    if status or user is None:
        state.record_bad_login(b"")
        state.sessions.end(session.bmc_id)
        return _refuse_rakp2(request.tag, status, session.console_id)
    handshake = Handshake(
        session.suite,
        session.console_id,
        session.bmc_id,
        request.console_random,
        session.handshake.bmc_random if session.handshake else os.urandom(16),
        state.guid,
        _hashed_role(state.profile, request.role, session.asked_privilege),
        request.username,
    )
    session.handshake, session.user, session.max_privilege = handshake, user, role
    answer = wire.Rakp2(
        request.tag,
        0,
        session.console_id,
        handshake.bmc_random,
        handshake.guid,
        handshake.rakp2_code(user.secret),
    )
    return Outcome("rakp1", "", "rakp2 status=00", wire.build_rakp2(answer))


def _rakp3(state: BmcState, request: wire.Rakp3, now: float) -> Outcome:
    session = state.sessions.half_open(request.bmc_id, now)
    if session is None or session.handshake is None or session.user is None:
        return _rakp3_again(state, request, now)
    handshake, secret = session.handshake, session.user.secret
    state.counters.logins += 1
    if request.status:
        state.record_bad_login(handshake.username)
        state.sessions.end(session.bmc_id)
        return Outcome(f"rakp3 status={request.status:02x}", "the console gave up")
    code = _rakp3_code(state.profile, handshake, secret)
    if not hmac.compare_digest(code, request.auth_code):
        state.record_bad_login(handshake.username)
        state.sessions.end(session.bmc_id)
        return _refuse_rakp4(request.tag, BAD_INTEGRITY, session.console_id)
    if state.sessions.is_full(now):
        state.counters.no_slot += 1
        state.sessions.end(session.bmc_id)
        return _refuse_rakp4(request.tag, NO_RESOURCES, session.console_id)
    state.bad_logins.pop(handshake.username, None)
    key = handshake.session_key(state.kg or secret)
    session.touched_at = now
    state.sessions.activate(session, Keys(session.suite, key))
    return _accept(session, request.tag, handshake, key)


def _accept(session: Session, tag: int, handshake: Handshake, key: bytes) -> Outcome:
    answer = wire.Rakp4(tag, 0, session.console_id, handshake.rakp4_check(key))
    return Outcome("rakp3", "", "rakp4 status=00", wire.build_rakp4(answer))


def _rakp3_again(state: BmcState, request: wire.Rakp3, now: float) -> Outcome:
    """The console did not hear the answer: say it again, or refuse, as the model does."""
    session = state.sessions.find(request.bmc_id, now)
    if (
        state.profile.strict_handshake
        or session is None
        or session.handshake is None
        or session.user is None
        or _rakp3_code(state.profile, session.handshake, session.user.secret) != request.auth_code
    ):
        return _refuse_rakp4(request.tag, INVALID_SESSION, 0)
    key = session.handshake.session_key(state.kg or session.user.secret)
    return _accept(session, request.tag, session.handshake, key)
