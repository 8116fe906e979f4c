"""What can go wrong with a BMC: codes and parameters, no prose (`core.faults` has the words)."""

from __future__ import annotations

from typing import ClassVar


class BmcError(Exception):
    """A fault of one BMC. `params` are plain numbers and bounded text, safe to store and show."""

    code: ClassVar[str] = "bmc_error"
    retryable: ClassVar[bool] = False

    def __init__(self, **params: str | int | float) -> None:
        super().__init__(self.code)
        self.params = params

    def __str__(self) -> str:
        return " ".join([self.code, *(f"{k}={v}" for k, v in self.params.items())])


class BmcUnreachable(BmcError):
    """No datagram came back within the deadline, or the network refused."""

    code = "unreachable"
    retryable = True


class BmcNoReply(BmcError):
    """A command left and no answer came. It may have run."""

    code = "no_reply"
    retryable = True


class BmcNotSent(BmcError):
    """The command certainly did not leave: too late, or the session was gone before the send."""

    code = "not_sent"
    retryable = True


class BmcSessionLost(BmcError):
    """The open session ended under us (BMC restarted, session timed out) while reading."""

    code = "session_lost"
    retryable = True


class BmcBreakerOpen(BmcError):
    """Too many failures in a row: nothing was sent. The next try is due in `retry_seconds`."""

    code = "breaker_open"
    retryable = True


class BmcLoginTooSoon(BmcError):
    """The login budget of this BMC is used up (B3). The next one may go in `retry_seconds`."""

    code = "login_too_soon"
    retryable = True


class BmcSlotsFull(BmcError):
    """The BMC has no free session slot (status 01, or "insufficient resources")."""

    code = "slots_full"
    retryable = True


class BmcBusy(BmcError):
    """The BMC said no for now (completion code C0 or C3)."""

    code = "busy"
    retryable = True


class BmcRefused(BmcError):
    """The BMC refused the command; `completion_code` says why. It did not run."""

    code = "refused"


class BmcAuthError(BmcError):
    """The BMC does not know this account or password. Final after one try."""

    code = "auth_failed"


class BmcAuthBlocked(BmcAuthError):
    """The refusal guard: this secret was refused before and is not tried again (B4)."""

    code = "auth_blocked"


class BmcPrivilegeError(BmcError):
    """The account is right but may not open a session with the wanted privilege."""

    code = "privilege_too_low"


class BmcInsecure(BmcError):
    """The endpoint offers no suite we accept: IPMI 1.5 only, or suites 0-2 (B6)."""

    code = "insecure"


class BmcProtocolError(BmcError):
    """The answer was not what the specification allows."""

    code = "protocol_error"


class BmcForbiddenAddress(BmcError):
    """The address lies outside the allowed networks. Nothing was sent (S5)."""

    code = "forbidden_address"


class BmcOverloaded(BmcError):
    """The portal's own limit on waiting conversations is reached. Nothing was sent."""

    code = "overloaded"
    retryable = True
