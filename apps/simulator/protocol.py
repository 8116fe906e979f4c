"""From one datagram to one outcome. No sockets: the state changes, the reply is bytes."""

from __future__ import annotations

from apps.bmc.rmcp import wire
from apps.simulator.commands import Call, describe, name_of, run_command
from apps.simulator.handshake import handle_setup
from apps.simulator.state import BmcState, Outcome, Peer

_RMCP_CLASS_ASF = 6
_SEALED = wire.FLAG_ENCRYPTED | wire.FLAG_AUTHENTICATED


def handle_datagram(state: BmcState, datagram: bytes, peer: Peer, now: float) -> Outcome:
    """Never raises for any bytes: what is not understood is dropped, with the reason as fate."""
    try:
        if len(datagram) > 3 and datagram[3] == _RMCP_CLASS_ASF:
            return _presence(datagram)
        envelope = wire.parse_envelope(datagram)
        if datagram[4] == wire.AUTH_NONE:
            return _sessionless(state, envelope, peer, now)
        if envelope.payload_type != wire.PAYLOAD_IPMI:
            return handle_setup(state, envelope, now)
        if envelope.session_id == 0 and envelope.flags == 0:
            return _sessionless(state, envelope, peer, now, rmcp_plus=True)
        return _in_session(state, envelope, datagram, peer, now)
    except wire.WireError as error:
        return Outcome("undecodable", str(error))


def _presence(datagram: bytes) -> Outcome:
    is_pong, tag, _ = wire.parse_presence(datagram)
    if is_pong:
        return Outcome("presence_pong", "not for a BMC")
    return Outcome("presence_ping", "", "presence_pong", wire.build_presence_pong(tag))


def _sessionless(
    state: BmcState, envelope: wire.Envelope, peer: Peer, now: float, *, rmcp_plus: bool = False
) -> Outcome:
    if envelope.session_id:
        return Outcome("ipmi 1.5 session", "no IPMI 1.5 sessions here")
    message = wire.parse_message(envelope.payload)
    if message.code is not None:
        return Outcome("answer", "not for a BMC")
    code, data = run_command(Call(state, None, message, peer, now))
    raw = wire.build_response(message.netfn, message.command, code, data, message.rq_seq)
    reply = wire.build_setup(wire.PAYLOAD_IPMI, raw) if rmcp_plus else wire.build_sessionless(raw)
    name = name_of(message.netfn, message.command)
    return Outcome(name, "", f"{name} cc={code:02x}", reply)


def _in_session(
    state: BmcState, envelope: wire.Envelope, datagram: bytes, peer: Peer, now: float
) -> Outcome:
    session = state.sessions.find(envelope.session_id, now)
    if session is None or session.keys is None:
        return Outcome("sealed", "unknown session")
    if envelope.flags != _SEALED:
        return Outcome("sealed", "not sealed")
    _, sequence, raw = session.keys.open(datagram)
    message = wire.parse_message(raw)
    kind = describe(message)
    if not session.admits(sequence):
        return Outcome(kind, "replayed or outside the window")
    if message.code is not None:
        return Outcome(kind, "not for a BMC")
    session.touched_at = now
    code, data = run_command(Call(state, session, message, peer, now))
    answer = wire.build_response(message.netfn, message.command, code, data, message.rq_seq)
    name = name_of(message.netfn, message.command)
    return Outcome(kind, "", f"{name} cc={code:02x}", session.seal(answer))
