"""Words for every result code: what happened, what is known, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_PARAM_LENGTH: Final = 200


class _Params(dict[str, str]):
    """Parameters of one fault; a missing one reads as "?", so that no phrase can fail."""

    def __missing__(self, key: str) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class _Words:
    title: str | Promise
    cause: str | Promise = ""
    next_step: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in words. `title` is a sentence of its own; the others may be empty."""

    code: str
    words: _Words
    params: Mapping[str, str]

    @property
    def title(self) -> str:
        return str(self.words.title) % self.params

    @property
    def cause(self) -> str:
        return str(self.words.cause) % self.params

    @property
    def next_step(self) -> str:
        return str(self.words.next_step) % self.params

    def __str__(self) -> str:
        return " ".join(part for part in (self.title, self.cause, self.next_step) if part)


_WORDS: Final[dict[str, _Words]] = {
    # ------------------------------------------------ apps.bmc.errors
    "bmc_error": _Words(
        _("The BMC reported a fault."), next_step=_("Read the state again, then look at the log.")
    ),
    "unreachable": _Words(
        _("BMC does not answer."),
        _("No packet came back in time."),
        _("Check its address, its network port and its power feed."),
    ),
    "no_reply": _Words(
        _("Command sent, no answer. It is not sent again."),
        _("It may have run."),
        _("Read the state before you decide."),
    ),
    "not_sent": _Words(
        _("Nothing was sent."),
        _("The connection to the BMC was gone before the command could leave."),
        _("Try again."),
    ),
    "session_lost": _Words(
        _("The session with the BMC ended during reading."),
        _("The BMC restarted or closed it."),
        _("It is read again at the next interval."),
    ),
    "breaker_open": _Words(
        _("BMC did not answer several times in a row; it is left alone for a while."),
        _("Nothing was sent."),
        _("The next try is due in %(retry_seconds)s s."),
    ),
    "login_too_soon": _Words(
        _("Too many logins at this BMC within a short time."),
        _("Nothing was sent."),
        _("The next one may go in %(retry_seconds)s s."),
    ),
    "slots_full": _Words(
        _("BMC has no free session."),
        _("Other tools or people hold all of them."),
        _("Close sessions elsewhere, or wait until the BMC ends idle ones."),
    ),
    "busy": _Words(
        _("BMC is busy."),
        _("It said no for now; the command did not run."),
        _("Try again in a minute."),
    ),
    "refused": _Words(
        _("BMC refused the command: %(words)s (%(code)s)."),
        _("It did not run."),
        _("Check the rights of the account and what this server supports."),
    ),
    "auth_failed": _Words(
        _("BMC refused the password; not tried again."),
        "",
        _("Check the credential profile of this BMC."),
    ),
    "auth_blocked": _Words(
        _("BMC refused this password before; it is not tried again."),
        _("More tries could lock the account on the BMC."),
        _("Correct the password in the credential profile, or choose another profile."),
    ),
    "privilege_too_low": _Words(
        _("The account may not work with the privilege its profile asks for."),
        "",
        _("Raise the privilege of the account on the BMC, or lower it in the profile."),
    ),
    "insecure": _Words(
        _("BMC offers no secure way to log in."),
        _("It speaks IPMI 1.5 only, or only cipher suites 0 to 2. No password was sent."),
        _("Enable IPMI 2.0 with cipher suite 17 or 3 on the BMC."),
    ),
    "protocol_error": _Words(
        _("The answer of the BMC cannot be read."),
        _("It does not follow the specification."),
        _("Check the firmware of the BMC, and that a BMC listens at this address."),
    ),
    "forbidden_address": _Words(
        _("Outside the allowed BMC networks."),
        _("Nothing was sent."),
        _("Correct the address, or ask an admin to add the network."),
    ),
    "overloaded": _Words(
        _("The portal has too many conversations waiting."),
        _("Nothing was sent."),
        _("Try again in a minute."),
    ),
    # ------------------------------------------------ reading and the engine
    "never_read": _Words(
        _("Not read yet."), "", _("The first reading is due within one polling interval.")
    ),
    "no_credential": _Words(
        _("No credential profile."),
        _("Without one nothing is sent to this BMC."),
        _("Choose a profile for this BMC."),
    ),
    "secret_unreadable": _Words(
        _("The stored password cannot be decrypted."),
        _("Its key is missing on this system, or the record was changed."),
        _("Ask an admin to restore the key or to enter the password again."),
    ),
    "wrong_identity": _Words(
        _("Another machine answers at this address."),
        _("Its identity differs from the recorded one; no command is sent."),
        _("Check cabling and address. An operator may accept the machine on the server's page."),
    ),
    # ------------------------------------------------ connection tests
    "no_presence": _Words(
        _("BMC does not answer."),
        _("Nothing came back to the question that every BMC answers. No password was sent."),
        _("Check address, port, network and power feed; few models need a workaround for this."),
    ),
    "too_slow": _Words(
        _("Not finished within 5 s."),
        _("The BMC answers slowly or not at all, or another conversation with it goes on."),
        _("Test again. Polling and orders wait longer than a test."),
    ),
    "no_worker": _Words(
        _("No worker of site %(site)s is alive."),
        _("Nothing was sent."),
        _("Start a worker for this site, or choose another site."),
    ),
    "not_picked_up": _Words(
        _("No worker of site %(site)s took the test within 5 s."),
        _("Nothing was sent."),
        _("Test again. If it stays, look at the log of the workers."),
    ),
    "test_interrupted": _Words(
        _("The worker that tested did not report back."),
        _("It stopped, or lost the database. A login may have been tried."),
        _("Test again."),
    ),
    "guid_differs": _Words(
        _("The login works, but another machine answers."),
        _("Its system GUID is %(reported)s; the record says %(recorded)s."),
        _("Check cabling and address. While they differ no power command is sent."),
    ),
    "serial_differs": _Words(
        _("The login works, but the serial number differs."),
        _("The BMC reports %(reported)s; the record says %(recorded)s."),
        _("Check cabling and address, or correct the record."),
    ),
    "name_not_resolved": _Words(
        _("The host name of the BMC cannot be resolved."),
        _("Nothing was sent."),
        _("Check the name and the name server, or enter an IP address."),
    ),
    "lease_lost": _Words(
        _("The worker lost its hold on this BMC."),
        _("Nothing more was sent by it."),
        _("Read the state before you decide."),
    ),
    "worker_lost": _Words(
        _("The worker stopped while the command was open."),
        _("It may have run, and it is not sent again."),
        _("Read the state before you decide."),
    ),
    "expired": _Words(
        _("It waited too long and was dropped."), _("Nothing was sent."), _("Order it again.")
    ),
    "stopped": _Words(_("Stopped before anything was sent.")),
    "superseded": _Words(
        _("Another command went to the server before this one could be verified."),
        "",
        _("Read the state before you decide."),
    ),
    "not_allowed": _Words(
        _("Whoever ordered it may not do that here any more."),
        _("Nothing was sent."),
        _("An operator of the cluster may order it."),
    ),
    "server_removed": _Words(_("The server was removed meanwhile."), _("Nothing was sent.")),
    "internal_error": _Words(
        _("The portal made a mistake."),
        _("Nothing was sent."),
        _("Tell whoever runs the portal; the log has the details."),
    ),
    # ------------------------------------------------ power
    "protected": _Words(
        _("The server is protected: “%(reason)s”."),
        _("Nothing was sent."),
        _("An admin lifts the protection."),
    ),
    "light_is_off": _Words(_("The identify light was off already."), _("Nothing was sent.")),
    "already_on": _Words(_("It was on already."), _("Nothing was sent.")),
    "already_off": _Words(_("It was off already."), _("Nothing was sent.")),
    "server_off": _Words(
        _("The server is off, so there is nothing to restart."),
        _("Nothing was sent."),
        _("Use power on."),
    ),
    "server_is_off": _Words(
        _("The server is off, so there is nothing to restart."),
        _("Nothing was sent."),
        _("Use power on."),
    ),
    "verified": _Words(_("Done: the new state was read from the BMC.")),
    "restart_seen": _Words(_("Done: the server was seen to restart.")),
    "effect_not_readable": _Words(
        _("Accepted, effect not readable."),
        _("The BMC took the command; whether it worked cannot be read there."),
        _("Look at the console of the server."),
    ),
    "still_on": _Words(
        _("Still on: the operating system did not shut down in time."),
        "",
        _("Look at its console. Hard power off cuts power at once."),
    ),
    "still_off": _Words(
        _("Still off: the BMC accepted the command, and the server did not start."),
        "",
        _("Check its power feeds and the event log of the BMC."),
    ),
    "state_not_reached": _Words(
        _("The BMC still reports the old state."), "", _("Look at the server before you try again.")
    ),
    "no_evidence": _Words(
        _("The BMC gave no answer and no sign."),
        _("The command may have run."),
        _("Look at the console of the server before you repeat it."),
    ),
}

_UNKNOWN: Final = _Words(
    _("Something failed that the portal has no words for (%(fault)s)."),
    "",
    _("Read the state again. If it stays, tell whoever runs the portal."),
)

COMPLETION_WORDS: Final[dict[int, str | Promise]] = {
    0xC0: _("it is busy"),
    0xC1: _("it does not know this command"),
    0xC3: _("it took too long"),
    0xC9: _("a value is out of range"),
    0xCB: _("what was asked for is not present"),
    0xD4: _("the privilege of the account is too low"),
    0xD5: _("it does not support this in its present state"),
    0xFF: _("it gave no reason"),
}
"""What an IPMI completion code means, to be read after "BMC refused the command:"."""

CODES: Final = frozenset(_WORDS)


def completion_words(code: int) -> str:
    """Return the reason a BMC gave, as part of a sentence."""
    return str(COMPLETION_WORDS.get(code, COMPLETION_WORDS[0xFF]))


def _completion_code(value: object) -> int | None:
    if isinstance(value, int):
        return value if 0 <= value <= 0xFF else None
    try:
        code = int(str(value), 16)
    except ValueError:
        return None
    return code if 0 <= code <= 0xFF else None


def fault_of(code: str, params: Mapping[str, Any] | None = None) -> Fault:
    """Return the words of a code; an unknown code gets honest general ones."""
    bounded = _Params({str(k): str(v)[:_PARAM_LENGTH] for k, v in (params or {}).items()})
    if code == "refused":
        number = _completion_code((params or {}).get("completion_code"))
        bounded["words"] = completion_words(0xFF if number is None else number)
        bounded["code"] = "?" if number is None else f"0x{number:02X}"
    words = _WORDS.get(code)
    if words is None:
        words, bounded["fault"] = _UNKNOWN, str(code)[:_PARAM_LENGTH]
    return Fault(code=str(code), words=words, params=bounded)
