"""Datagrams of RMCP, IPMI 1.5 (session-less) and RMCP+ (IPMI 2.0 §13), as bytes in and bytes out.

Pure functions: no sockets, no clocks, no state. Both sides use them, the engine and the simulator.
Every `parse_*` takes hostile bytes: it returns a bounded value or raises `WireError`, nothing else.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

MAX_DATAGRAM: Final = 1024
"""Longer datagrams are dropped unread: no message of the portal's needs more than 300 bytes."""

_RMCP_IPMI: Final = b"\x06\x00\xff\x07"
_RMCP_ASF: Final = b"\x06\x00\xff\x06"
_ASF_IANA: Final = b"\x00\x00\x11\xbe"
_ASF_PING: Final = 0x80
_ASF_PONG: Final = 0x40

AUTH_NONE: Final = 0x00
AUTH_RMCP_PLUS: Final = 0x06

PAYLOAD_IPMI: Final = 0x00
PAYLOAD_OPEN_REQUEST: Final = 0x10
PAYLOAD_OPEN_RESPONSE: Final = 0x11
PAYLOAD_RAKP1: Final = 0x12
PAYLOAD_RAKP2: Final = 0x13
PAYLOAD_RAKP3: Final = 0x14
PAYLOAD_RAKP4: Final = 0x15
FLAG_ENCRYPTED: Final = 0x80
FLAG_AUTHENTICATED: Final = 0x40

BMC_ADDRESS: Final = 0x20
CONSOLE_ADDRESS: Final = 0x81

ROLE_NAME_ONLY: Final = 0x10
"""Look the user up by name alone, not by name and privilege (IPMI 2.0 §13.20)."""


class WireError(ValueError):
    """These bytes are not what the specification allows."""


class Envelope(NamedTuple):
    """The outside of an RMCP+ or session-less datagram; `payload` is not yet checked."""

    payload_type: int
    flags: int
    session_id: int
    sequence: int
    payload: bytes


class Message(NamedTuple):
    """An IPMI LAN message (IPMI 2.0 §13.8). `code` is the completion code, None in a request."""

    netfn: int
    command: int
    rq_seq: int
    code: int | None
    data: bytes


class OpenRequest(NamedTuple):
    tag: int
    privilege: int
    console_id: int
    algorithms: tuple[int, int, int]


class OpenResponse(NamedTuple):
    """`bmc_id` and `algorithms` are zero when `status` is not zero."""

    tag: int
    status: int
    privilege: int
    console_id: int
    bmc_id: int
    algorithms: tuple[int, int, int]


class Rakp1(NamedTuple):
    tag: int
    bmc_id: int
    console_random: bytes
    role: int
    username: bytes


class Rakp2(NamedTuple):
    tag: int
    status: int
    console_id: int
    bmc_random: bytes
    guid: bytes
    auth_code: bytes


class Rakp3(NamedTuple):
    tag: int
    status: int
    bmc_id: int
    auth_code: bytes


class Rakp4(NamedTuple):
    tag: int
    status: int
    console_id: int
    check: bytes


# ---------------------------------------------------------------- presence (ASF 2.0 §3.2.4.2)


def build_presence_ping(tag: int) -> bytes:
    return _RMCP_ASF + _ASF_IANA + bytes((_ASF_PING, tag & 0xFF, 0, 0))


def build_presence_pong(tag: int) -> bytes:
    """Answer with IPMI supported (entities 0x81)."""
    body = bytes((0, 0, 0x11, 0xBE, 0, 0, 0, 0, 0x81, 0)) + bytes(6)
    return _RMCP_ASF + _ASF_IANA + bytes((_ASF_PONG, tag & 0xFF, 0, len(body))) + body


def parse_presence(datagram: bytes) -> tuple[bool, int, bool]:
    """Return (is a pong, tag, IPMI supported)."""
    if len(datagram) < 12 or datagram[0] != 6 or datagram[3] != 6 or datagram[4:8] != _ASF_IANA:
        raise WireError("not an ASF message")
    kind, tag, length = datagram[8], datagram[9], datagram[11]
    if kind == _ASF_PING:
        return False, tag, False
    if kind != _ASF_PONG or length < 16 or len(datagram) < 12 + length:
        raise WireError("not a presence pong")
    return True, tag, bool(datagram[20] & 0x80)


# ---------------------------------------------------------------- IPMI messages


def _checksum(data: bytes) -> int:
    return -sum(data) & 0xFF


def build_request(netfn: int, command: int, data: bytes, rq_seq: int) -> bytes:
    head = bytes((BMC_ADDRESS, netfn << 2))
    body = bytes((CONSOLE_ADDRESS, (rq_seq & 0x3F) << 2, command)) + data
    return head + bytes((_checksum(head),)) + body + bytes((_checksum(body),))


def build_response(netfn: int, command: int, code: int, data: bytes, rq_seq: int) -> bytes:
    """Answer a request: `netfn` is the request's; the answer carries the next one."""
    head = bytes((CONSOLE_ADDRESS, (netfn | 1) << 2))
    body = bytes((BMC_ADDRESS, (rq_seq & 0x3F) << 2, command, code)) + data
    return head + bytes((_checksum(head),)) + body + bytes((_checksum(body),))


def parse_message(raw: bytes) -> Message:
    """Check both checksums and split; an odd netfn is an answer and has a completion code."""
    if len(raw) < 7:
        raise WireError("IPMI message too short")
    if sum(raw[:3]) & 0xFF or sum(raw[3:]) & 0xFF:
        raise WireError("IPMI checksum")
    netfn = raw[1] >> 2
    if netfn & 1:
        if len(raw) < 8:
            raise WireError("IPMI answer without completion code")
        return Message(netfn, raw[5], raw[4] >> 2, raw[6], raw[7:-1])
    return Message(netfn, raw[5], raw[4] >> 2, None, raw[6:-1])


# ---------------------------------------------------------------- envelopes


def build_sessionless(message: bytes) -> bytes:
    """IPMI 1.5, authentication none: before a session only (IPMI 2.0 §13.6)."""
    return _RMCP_IPMI + bytes(9) + bytes((len(message),)) + message


def build_setup(payload_type: int, payload: bytes) -> bytes:
    """An RMCP+ datagram outside a session: Open Session and RAKP 1-4."""
    head = bytes((AUTH_RMCP_PLUS, payload_type)) + bytes(8) + struct.pack("<H", len(payload))
    return _RMCP_IPMI + head + payload


def parse_envelope(datagram: bytes) -> Envelope:
    """Split the outside. What is flagged as authenticated must still go through `Keys.open`."""
    if len(datagram) < 14 or len(datagram) > MAX_DATAGRAM:
        raise WireError("datagram length")
    if datagram[0] != 6 or datagram[3] & 0x1F != 7:
        raise WireError("not RMCP IPMI")
    if datagram[4] == AUTH_NONE:
        sequence, session_id, length = struct.unpack_from("<IIB", datagram, 5)
        if len(datagram) < 14 + length:
            raise WireError("truncated")
        return Envelope(PAYLOAD_IPMI, 0, session_id, sequence, datagram[14 : 14 + length])
    if datagram[4] != AUTH_RMCP_PLUS or len(datagram) < 16:
        raise WireError("authentication type")
    kind = datagram[5]
    session_id, sequence, length = struct.unpack_from("<IIH", datagram, 6)
    if len(datagram) < 16 + length:
        raise WireError("truncated")
    return Envelope(kind & 0x3F, kind & 0xC0, session_id, sequence, datagram[16 : 16 + length])


# ------------------------------------------------------ session setup (IPMI 2.0 §13.17-13.23)


def _algorithm_blocks(algorithms: tuple[int, int, int]) -> bytes:
    return b"".join(bytes((i, 0, 0, 8, a, 0, 0, 0)) for i, a in enumerate(algorithms))


def _parse_algorithm_blocks(raw: bytes) -> tuple[int, int, int]:
    found = [-1, -1, -1]
    for at in (0, 8, 16):
        kind, length, algorithm = raw[at], raw[at + 3], raw[at + 4] & 0x3F
        if kind > 2 or length not in (0, 8):
            raise WireError("algorithm block")
        found[kind] = algorithm if length else 0
    if min(found) < 0:
        raise WireError("algorithm block missing")
    return found[0], found[1], found[2]


def build_open_request(request: OpenRequest) -> bytes:
    head = struct.pack("<BBHI", request.tag, request.privilege, 0, request.console_id)
    return build_setup(PAYLOAD_OPEN_REQUEST, head + _algorithm_blocks(request.algorithms))


def parse_open_request(payload: bytes) -> OpenRequest:
    if len(payload) < 32:
        raise WireError("open session request")
    tag, privilege, _, console_id = struct.unpack_from("<BBHI", payload)
    return OpenRequest(tag, privilege & 0x0F, console_id, _parse_algorithm_blocks(payload[8:32]))


def build_open_response(answer: OpenResponse) -> bytes:
    head = struct.pack("<BBBBI", answer.tag, answer.status, answer.privilege, 0, answer.console_id)
    if answer.status:
        return build_setup(PAYLOAD_OPEN_RESPONSE, head)
    body = struct.pack("<I", answer.bmc_id) + _algorithm_blocks(answer.algorithms)
    return build_setup(PAYLOAD_OPEN_RESPONSE, head + body)


def parse_open_response(payload: bytes) -> OpenResponse:
    if len(payload) < 2:
        raise WireError("open session response")
    tag, status = payload[0], payload[1]
    if status:
        console_id = struct.unpack_from("<I", payload, 4)[0] if len(payload) >= 8 else 0
        return OpenResponse(tag, status, 0, console_id, 0, (0, 0, 0))
    if len(payload) < 36:
        raise WireError("open session response")
    console_id, bmc_id = struct.unpack_from("<II", payload, 4)
    blocks = _parse_algorithm_blocks(payload[12:36])
    return OpenResponse(tag, status, payload[2] & 0x0F, console_id, bmc_id, blocks)


def build_rakp1(message: Rakp1) -> bytes:
    head = struct.pack("<BBHI", message.tag, 0, 0, message.bmc_id)
    tail = bytes((message.role, 0, 0, len(message.username))) + message.username
    return build_setup(PAYLOAD_RAKP1, head + message.console_random + tail)


def parse_rakp1(payload: bytes) -> Rakp1:
    if len(payload) < 28:
        raise WireError("RAKP 1")
    length = payload[27]
    if length > 16 or len(payload) < 28 + length:
        raise WireError("RAKP 1 user name")
    bmc_id = struct.unpack_from("<I", payload, 4)[0]
    return Rakp1(payload[0], bmc_id, payload[8:24], payload[24], payload[28 : 28 + length])


def build_rakp2(message: Rakp2) -> bytes:
    head = struct.pack("<BBHI", message.tag, message.status, 0, message.console_id)
    if message.status:
        return build_setup(PAYLOAD_RAKP2, head)
    return build_setup(PAYLOAD_RAKP2, head + message.bmc_random + message.guid + message.auth_code)


def parse_rakp2(payload: bytes) -> Rakp2:
    if len(payload) < 8:
        raise WireError("RAKP 2")
    tag, status, _, console_id = struct.unpack_from("<BBHI", payload)
    if status:
        return Rakp2(tag, status, console_id, b"", b"", b"")
    if len(payload) < 40:
        raise WireError("RAKP 2")
    return Rakp2(tag, status, console_id, payload[8:24], payload[24:40], payload[40:])


def build_rakp3(message: Rakp3) -> bytes:
    head = struct.pack("<BBHI", message.tag, message.status, 0, message.bmc_id)
    return build_setup(PAYLOAD_RAKP3, head + message.auth_code)


def parse_rakp3(payload: bytes) -> Rakp3:
    if len(payload) < 8:
        raise WireError("RAKP 3")
    tag, status, _, bmc_id = struct.unpack_from("<BBHI", payload)
    return Rakp3(tag, status, bmc_id, payload[8:])


def build_rakp4(message: Rakp4) -> bytes:
    head = struct.pack("<BBHI", message.tag, message.status, 0, message.console_id)
    return build_setup(PAYLOAD_RAKP4, head + message.check)


def parse_rakp4(payload: bytes) -> Rakp4:
    if len(payload) < 8:
        raise WireError("RAKP 4")
    tag, status, _, console_id = struct.unpack_from("<BBHI", payload)
    return Rakp4(tag, status, console_id, payload[8:])
