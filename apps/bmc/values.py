"""The words of the protocol layer: values that go in and out of every driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final


class PowerState(StrEnum):
    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class PowerAction(StrEnum):
    """IPMI chassis control (IPMI 2.0 §28.3); the same words as Redfish Reset has for them."""

    ON = "on"
    OFF = "off"
    SOFT_OFF = "soft_off"
    CYCLE = "cycle"
    RESET = "reset"
    NMI = "nmi"


class Privilege(IntEnum):
    """What a BMC lets a session do (IPMI 2.0 §6.8)."""

    CALLBACK = 1
    USER = 2
    OPERATOR = 3
    ADMINISTRATOR = 4


class CipherSuite(IntEnum):
    """The two suites the portal speaks (IPMI 2.0 §22.15.2): 3 = SHA1, 17 = SHA256; both AES-128."""

    SHA1 = 3
    SHA256 = 17


PREFERRED_SUITES: Final = (CipherSuite.SHA256, CipherSuite.SHA1)


class Workaround(StrEnum):
    """What is done differently for a BMC that does not follow the specification.

    FreeIPMI names the models (ipmipower(8), "WORKAROUNDS"); its flag stands behind each. The last
    two do on the wire what FreeIPMI 1.6.10 does, measured against the simulator.
    """

    SKIP_AUTH_CAPABILITIES = "skip_auth_capabilities"
    """It tells strangers nothing, or something wrong: log in without asking before (authcap)."""
    OPEN_SESSION_PRIVILEGE = "open_session_privilege"
    """Its codes have the privilege of Open Session in them, not the one of RAKP 1: name the same in
    both (opensesspriv)."""
    PADDED_USERNAME = "padded_username"
    """It wants the user name filled up to 16 bytes; the code of RAKP 3 has the name as it is, and
    the privilege without the bit for "by name alone" (intel20)."""


class Secret:
    """A text that never shows itself: not in repr, str, format, pickles or comparisons."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not serialised")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a BMC listens. `address` is an IP literal, resolved and pinned, never a name."""

    address: str
    port: int = 623
    suites: tuple[CipherSuite, ...] = PREFERRED_SUITES
    workarounds: frozenset[Workaround] = frozenset()

    @property
    def key(self) -> tuple[str, int]:
        return (self.address, self.port)


@dataclass(frozen=True, slots=True)
class Credential:
    """An account on a BMC. `key` names this very secret (profile id, version), for B4."""

    username: str
    password: Secret
    privilege: Privilege = Privilege.OPERATOR
    kg: Secret | None = field(default=None)
    key: str = ""


@dataclass(frozen=True, slots=True)
class ChassisStatus:
    """IPMI 2.0 §28.2, as far as the portal reads it."""

    power: PowerState
    last_restart_by_command: bool
    power_fault: bool
    identify_on: bool | None


@dataclass(frozen=True, slots=True)
class DeviceId:
    """IPMI 2.0 §20.1. `firmware` is text such as "2.10"; ids are the numbers on the wire."""

    device_id: int
    device_revision: int
    firmware: str
    ipmi_version: str
    manufacturer_id: int
    product_id: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The BMC answered a command with completion code 00. It says accepted, not done."""

    sent_monotonic: float
    answered_monotonic: float


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a session got: `privilege` is the level that the BMC confirmed."""

    suite: CipherSuite
    privilege: Privilege
    is_new: bool
    """It was opened by this use; otherwise it was open before."""


@dataclass(frozen=True, slots=True)
class FruRecord:
    """The default FRU (Platform Management FRU Information Storage Definition 1.0).

    Each text is free of invisible characters and has at most 64 of them; empty: not told.
    """

    chassis_part_number: str = ""
    chassis_serial: str = ""
    board_manufacturer: str = ""
    board_product: str = ""
    board_serial: str = ""
    board_part_number: str = ""
    manufacturer: str = ""
    product: str = ""
    part_number: str = ""
    serial: str = ""
    asset_tag: str = ""
