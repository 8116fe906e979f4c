"""The protocol layer: plain Python, no Django. Import values, errors and interfaces from here.

Workers import `apps.bmc.client` for the engine itself; nothing else may.
"""

from __future__ import annotations

from apps.bmc.errors import (
    BmcAuthBlocked,
    BmcAuthError,
    BmcBreakerOpen,
    BmcBusy,
    BmcError,
    BmcForbiddenAddress,
    BmcInsecure,
    BmcLoginTooSoon,
    BmcNoReply,
    BmcNotSent,
    BmcOverloaded,
    BmcPrivilegeError,
    BmcProtocolError,
    BmcRefused,
    BmcSessionLost,
    BmcSlotsFull,
    BmcUnreachable,
)
from apps.bmc.interfaces import BmcSession, Identify, Identity, Power, Sessions
from apps.bmc.values import (
    PREFERRED_SUITES,
    ChassisStatus,
    CipherSuite,
    Credential,
    DeviceId,
    Endpoint,
    PowerAction,
    PowerState,
    Privilege,
    Receipt,
    Secret,
)

__all__ = [
    "PREFERRED_SUITES",
    "BmcAuthBlocked",
    "BmcAuthError",
    "BmcBreakerOpen",
    "BmcBusy",
    "BmcError",
    "BmcForbiddenAddress",
    "BmcInsecure",
    "BmcLoginTooSoon",
    "BmcNoReply",
    "BmcNotSent",
    "BmcOverloaded",
    "BmcPrivilegeError",
    "BmcProtocolError",
    "BmcRefused",
    "BmcSession",
    "BmcSessionLost",
    "BmcSlotsFull",
    "BmcUnreachable",
    "ChassisStatus",
    "CipherSuite",
    "Credential",
    "DeviceId",
    "Endpoint",
    "Identify",
    "Identity",
    "Power",
    "PowerAction",
    "PowerState",
    "Privilege",
    "Receipt",
    "Secret",
    "Sessions",
]
