"""The IPMI commands a simulated BMC knows. Anything else is answered C1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from apps.bmc.rmcp import wire
from apps.bmc.rmcp.crypto import SUITES
from apps.bmc.values import PowerAction, PowerState, Privilege
from apps.simulator.chassis import CHASSIS_CONTROLS
from apps.simulator.fru import BadFru
from apps.simulator.profiles import Profile
from apps.simulator.sessions import Session
from apps.simulator.state import BmcState, Executed, Peer

NETFN_CHASSIS: Final = 0x00
NETFN_APP: Final = 0x06
NETFN_STORAGE: Final = 0x0A
DEFAULT_IDENTIFY_SECONDS: Final = 15
CHANNEL: Final = 1

OK: Final = 0x00
LEVEL_TOO_HIGH: Final = 0x81
NO_SUCH_SESSION: Final = 0x87
BUSY: Final = 0xC0
INVALID_COMMAND: Final = 0xC1
WRONG_LENGTH: Final = 0xC7
TOO_MANY_BYTES: Final = 0xCA
NOT_PRESENT: Final = 0xCB
INVALID_FIELD: Final = 0xCC
NO_PRIVILEGE: Final = 0xD4
NOT_IN_THIS_STATE: Final = 0xD5


class Call(NamedTuple):
    state: BmcState
    session: Session | None
    message: wire.Message
    peer: Peer
    now: float


class Answer(NamedTuple):
    code: int = OK
    data: bytes = b""


class Command(NamedTuple):
    name: str
    run: Callable[[Call], Answer]
    privilege: int = Privilege.USER
    min_length: int = 0
    needs_session: bool = True
    can_be_busy: bool = True


def name_of(netfn: int, command: int) -> str:
    known = COMMANDS.get((netfn, command))
    return known.name if known else f"{netfn:#04x}/{command:#04x}"


def describe(message: wire.Message) -> str:
    """Return the command's name for the log; chassis control with its action."""
    name = name_of(message.netfn, message.command)
    if name == "chassis_control" and message.data:
        return f"{name} {CHASSIS_CONTROLS.get(message.data[0] & 0x0F, '?')}"
    return name


def run_command(call: Call) -> Answer:
    message = call.message
    command = COMMANDS.get((message.netfn, message.command))
    if command is None:
        return Answer(INVALID_COMMAND)
    if call.session is None:
        if command.needs_session:
            return Answer(NO_PRIVILEGE)
    else:
        if command.can_be_busy and call.state.faults.use_up("busy"):
            return Answer(BUSY)
        if call.session.privilege < command.privilege:
            return Answer(NO_PRIVILEGE)
    if len(message.data) < command.min_length:
        return Answer(WRONG_LENGTH)
    return command.run(call)


# ---------------------------------------------------------------- before a session


def _channel_capabilities(call: Call) -> Answer:
    """IPMI 2.0 §22.13. Null and anonymous users are disabled; only RMCP+ is offered in 2.0 mode."""
    profile = call.state.profile
    if not profile.tells_strangers:
        return Answer(INVALID_COMMAND)
    status = 0x04 | (0x20 if call.state.kg else 0)
    if not profile.speaks_ipmi20:
        return Answer(OK, bytes((CHANNEL, 0x14, status, 0, 0, 0, 0, 0)))
    asks_for_20 = bool(call.message.data[0] & 0x80)
    support = 0x80 if asks_for_20 else 0
    return Answer(OK, bytes((CHANNEL, support, status, 0x02 if asks_for_20 else 0, 0, 0, 0, 0)))


def _suite_records(profile: Profile) -> bytes:
    """IPMI 2.0 §22.15.1: a start byte, the suite, then tagged algorithms."""
    records = b""
    for number in profile.suites:
        auth, integrity, confidentiality = SUITES[number].algorithms
        records += bytes((0xC0, number, auth, 0x40 | integrity, 0x80 | confidentiality))
    return records


def _channel_suites(call: Call) -> Answer:
    if not call.state.profile.speaks_ipmi20:
        return Answer(INVALID_COMMAND)
    start = (call.message.data[2] & 0x3F) * 16
    return Answer(OK, bytes((CHANNEL,)) + _suite_records(call.state.profile)[start : start + 16])


# ---------------------------------------------------------------- session


def _set_privilege(call: Call) -> Answer:
    session = call.session
    if session is None:
        return Answer(NO_PRIVILEGE)
    wanted = call.message.data[0] & 0x0F
    if wanted == 0:
        return Answer(OK, bytes((session.privilege,)))
    if wanted == Privilege.CALLBACK or wanted > Privilege.ADMINISTRATOR:
        return Answer(INVALID_FIELD)
    if wanted > session.max_privilege:
        return Answer(LEVEL_TOO_HIGH)
    session.privilege = wanted
    return Answer(OK, bytes((wanted,)))


def _close_session(call: Call) -> Answer:
    target = int.from_bytes(call.message.data[:4], "little")
    own = call.session is not None and target == call.session.bmc_id
    if not own and (call.session is None or call.session.privilege < Privilege.ADMINISTRATOR):
        return Answer(NO_PRIVILEGE)
    return Answer(OK if call.state.sessions.end(target) else NO_SUCH_SESSION)


# ---------------------------------------------------------------- identity


def _device_id(call: Call) -> Answer:
    profile = call.state.profile
    major, minor = profile.firmware
    bcd = (minor // 10) << 4 | minor % 10
    head = bytes((profile.device_id, profile.device_revision, major & 0x7F, bcd, 0x02, 0x80))
    ids = profile.manufacturer_id.to_bytes(3, "little") + profile.product_id.to_bytes(2, "little")
    return Answer(OK, head + ids + bytes(4))


def _self_test(call: Call) -> Answer:
    return Answer(OK, b"\x55\x00")


def _system_guid(call: Call) -> Answer:
    return Answer(OK, call.state.guid)


def _device_guid(call: Call) -> Answer:
    if not call.state.profile.has_device_guid:
        return Answer(INVALID_COMMAND)
    return Answer(OK, call.state.guid)


# ---------------------------------------------------------------- inventory


def _fru_area_info(call: Call) -> Answer:
    """IPMI 2.0 §34.1; the only FRU is number 0, read by bytes."""
    image = call.state.fru
    if call.message.data[0] or not image:
        return Answer(NOT_PRESENT)
    return Answer(OK, len(image).to_bytes(2, "little") + b"\0")


def _fru_read(call: Call) -> Answer:
    """IPMI 2.0 §34.2."""
    image, data = call.state.fru, call.message.data
    at, count = int.from_bytes(data[1:3], "little"), data[3]
    if data[0] or not image:
        return Answer(NOT_PRESENT)
    limit = call.state.profile.fru_read_limit
    if count == 0 or at >= len(image) or (limit and count > limit):
        return Answer(TOO_MANY_BYTES)
    bad = call.state.faults.current.fru
    if bad in (BadFru.DRIBBLE, BadFru.EMPTY):
        count = int(bad is BadFru.DRIBBLE)
    piece = image[at : at + count]
    return Answer(OK, bytes((len(piece),)) + piece)


# ---------------------------------------------------------------- chassis


def _chassis_status(call: Call) -> Answer:
    """IPMI 2.0 §28.2."""
    state = call.state
    on = state.reported_power(call.now) is PowerState.ON
    power = 0x20 | (0x01 if on else 0)
    last_event = 0x10 if on and state.chassis.on_by_command else 0
    identify = 0x40 | state.chassis.identify_state(call.now) << 4
    return Answer(OK, bytes((power, last_event, identify)))


def _control_code(call: Call, action: PowerAction) -> int:
    state = call.state
    if state.faults.use_up("busy_power"):
        return BUSY
    if state.faults.current.refuse_power or not state.chassis.allows(action, call.now):
        return NOT_IN_THIS_STATE
    return OK


def _chassis_control(call: Call) -> Answer:
    state, now = call.state, call.now
    action = CHASSIS_CONTROLS.get(call.message.data[0] & 0x0F)
    if action is None:
        return Answer(INVALID_FIELD)
    faults = state.faults.current
    if faults.power_reply_loss_seconds:
        state.replies_lost_until = now + faults.power_reply_loss_seconds
        state.faults.clear(["power_reply_loss_seconds"])
    code = _control_code(call, action)
    if code != OK:
        state.counters.refused_power += 1
        return Answer(code)
    session = call.session
    name = session.user.name if session and session.user else ""
    session_id = session.bmc_id if session else 0
    state.counters.executed[action] += 1
    state.executed.append(Executed(now, action, name, session_id, call.message.rq_seq, call.peer))
    ignored = faults.ignore_power or (faults.ignore_soft_off and action is PowerAction.SOFT_OFF)
    if not ignored:
        state.chassis.execute(action, now)
    return Answer()


def _identify(call: Call) -> Answer:
    """IPMI 2.0 §28.5: seconds (15 if not given, 0 = off), then a bit "until told otherwise"."""
    data = call.message.data
    seconds = data[0] if data else DEFAULT_IDENTIFY_SECONDS
    forever = len(data) > 1 and bool(data[1] & 1)
    call.state.chassis.identify(seconds, call.now, forever=forever)
    return Answer()


_OPERATOR: Final = Privilege.OPERATOR

COMMANDS: Final = {
    (NETFN_CHASSIS, 0x01): Command("get_chassis_status", _chassis_status),
    (NETFN_CHASSIS, 0x02): Command("chassis_control", _chassis_control, _OPERATOR, 1),
    (NETFN_CHASSIS, 0x04): Command("chassis_identify", _identify, _OPERATOR),
    (NETFN_APP, 0x01): Command("get_device_id", _device_id),
    (NETFN_APP, 0x04): Command("get_self_test", _self_test),
    (NETFN_APP, 0x08): Command("get_device_guid", _device_guid),
    (NETFN_APP, 0x37): Command("get_system_guid", _system_guid, 0, 0, needs_session=False),
    (NETFN_APP, 0x38): Command(
        "get_channel_auth_capabilities",
        _channel_capabilities,
        0,
        2,
        needs_session=False,
        can_be_busy=False,
    ),
    (NETFN_APP, 0x3B): Command("set_session_privilege", _set_privilege, 0, 1, can_be_busy=False),
    (NETFN_APP, 0x3C): Command("close_session", _close_session, 0, 4, can_be_busy=False),
    (NETFN_STORAGE, 0x10): Command("get_fru_area_info", _fru_area_info, min_length=1),
    (NETFN_STORAGE, 0x11): Command("read_fru_data", _fru_read, min_length=4),
    (NETFN_APP, 0x54): Command(
        "get_channel_cipher_suites", _channel_suites, 0, 3, needs_session=False, can_be_busy=False
    ),
}
