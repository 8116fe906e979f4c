"""What one BMC model looks like from outside, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apps.bmc.values import CipherSuite


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds until an accepted chassis control shows in the chassis status."""

    on_seconds: float = 5.0
    off_seconds: float = 3.0
    soft_off_seconds: float = 12.0
    cycle_off_seconds: float = 4.0
    """How long a power cycle stays off, after `off_seconds`."""

    def scaled(self, factor: float) -> Lag:
        return Lag(
            self.on_seconds * factor,
            self.off_seconds * factor,
            self.soft_off_seconds * factor,
            self.cycle_off_seconds * factor,
        )


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    manufacturer_id: int
    product_id: int
    firmware: tuple[int, int]
    """Major and minor; the minor is BCD on the wire: (2, 10) reads "2.10"."""
    device_id: int = 0x20
    device_revision: int = 1
    suites: tuple[CipherSuite, ...] = (CipherSuite.SHA1, CipherSuite.SHA256)
    """Any other proposal is refused with status 0x11."""
    lag: Lag = Lag()
    session_slots: int = 4
    session_idle_seconds: float = 60.0
    sequence_window: int = 32
    has_device_guid: bool = True
    strict_handshake: bool = False
    """A second RAKP 1 ends the half-open session without an answer, a second RAKP 3 is refused with
    0x02. Otherwise both are answered as the first was."""
    speaks_ipmi20: bool = True
    downgrades: bool = False
    """Whatever suite is proposed, the Open Session answer says "none, none, none" (suite 0)."""
    maker: str = ""
    model: str = ""
    """As the FRU has them; without a model there is no FRU."""
    fru_read_limit: int = 0
    """The most bytes that one Read FRU Data gives; more is refused with CA. 0: no limit."""
    tells_strangers: bool = True
    """False: Get Channel Authentication Capabilities is refused."""
    hashes_open_privilege: bool = False
    """The codes of RAKP 2 to 4 have the privilege of Open Session in them, whatever RAKP 1 says
    (FreeIPMI: opensesspriv)."""
    pads_usernames: bool = False
    """A user is found only by a name of 16 bytes, filled up with zeros; the code of RAKP 3 has it
    without them, and the privilege without the bit for "by name alone" (FreeIPMI: intel20)."""


_DELL: Final = Profile(
    "dell-idrac9",
    674,
    0x0100,
    (6, 10),
    lag=Lag(4.0, 3.0, 15.0, 5.0),
    maker="DELL",
    model="PowerEdge R740",
)
_SUPERMICRO: Final = Profile(
    "supermicro-x11",
    10876,
    0x091C,
    (1, 74),
    lag=Lag(6.0, 4.0, 10.0, 4.0),
    has_device_guid=False,
    strict_handshake=True,
    maker="Supermicro",
    model="SYS-2029U-TR4",
    fru_read_limit=32,
)
_HPE: Final = Profile(
    "hpe-ilo5",
    11,
    0x2000,
    (2, 72),
    device_id=0x13,
    lag=Lag(3.0, 2.0, 8.0, 6.0),
    maker="HPE",
    model="ProLiant DL380 Gen10",
)
_SHA1_ONLY: Final = Profile(
    "supermicro-x9-sha1", 10876, 0x0628, (3, 48), suites=(CipherSuite.SHA1,)
)
_LEGACY: Final = Profile("legacy-ipmi15", 343, 0x0022, (0, 60), speaks_ipmi20=False)
_ROGUE: Final = Profile("rogue-suite0", 0, 0, (1, 0), downgrades=True)
_RETICENT: Final = Profile("reticent", 0, 0, (1, 0), tells_strangers=False)
# Models of FreeIPMI's list that need a workaround; FreeIPMI itself is tested against them.
_X8DTH: Final = Profile(
    "supermicro-x8dth-opensesspriv", 10876, 0xAABB, (2, 0), hashes_open_privilege=True
)
_SE7520: Final = Profile("intel-se7520-intel20", 343, 0x0023, (1, 0), pads_usernames=True)

PROFILES: Final = {
    profile.name: profile
    for profile in (
        *(_DELL, _SUPERMICRO, _HPE, _SHA1_ONLY, _LEGACY, _ROGUE),
        *(_RETICENT, _X8DTH, _SE7520),
    )
}

DEFAULT_PROFILES: Final = (_DELL, _SUPERMICRO)
"""A fleet takes them in turn."""
