"""One attempt at a login: the four RAKP messages, built and checked. No sockets, no clocks."""

from __future__ import annotations

import hmac
import os
from typing import Final

from apps.bmc.errors import (
    BmcAuthError,
    BmcError,
    BmcInsecure,
    BmcPrivilegeError,
    BmcProtocolError,
    BmcSlotsFull,
)
from apps.bmc.rmcp.crypto import Handshake, Keys, Suite
from apps.bmc.rmcp.wire import (
    ROLE_NAME_ONLY,
    OpenRequest,
    Rakp1,
    Rakp3,
    WireError,
    build_open_request,
    build_rakp1,
    build_rakp3,
    parse_open_response,
    parse_rakp2,
    parse_rakp4,
)
from apps.bmc.values import Credential, Workaround

MAX_USERNAME_BYTES: Final = 16
MAX_PASSWORD_BYTES: Final = 20

# Status codes of Open Session and RAKP answers (IPMI 2.0 table 13-15).
SUITE_REFUSED: Final = frozenset({0x04, 0x05, 0x06, 0x07, 0x10, 0x11})
"""Invalid or unmatched algorithms. ipmi_sim refuses suite 17 with 04, others with 11."""
ID_UNKNOWN: Final = frozenset({0x02, 0x08})
"""The half-open session is gone: start again."""
STATUS_ERRORS: Final[dict[int, type[BmcError]]] = {
    0x01: BmcSlotsFull,
    0x09: BmcPrivilegeError,
    0x0A: BmcPrivilegeError,
    0x0B: BmcSlotsFull,
    0x0C: BmcAuthError,
    0x0D: BmcAuthError,
    0x0F: BmcAuthError,
}


class SuiteRefusedError(Exception):
    """The BMC does not speak the proposed suite; `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class HalfOpenLostError(Exception):
    """The BMC forgot this attempt."""


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BmcAuthError(reason="encoding") from None


class Account:
    """A credential as the bytes that enter the codes; never shows them."""

    __slots__ = (
        "kg",
        "open_privilege",
        "password",
        "privilege",
        "rakp3_role",
        "role",
        "sent_username",
        "username",
    )

    def __init__(
        self, credential: Credential, workarounds: frozenset[Workaround] = frozenset()
    ) -> None:
        """:raises BmcInsecure: the null user. :raises BmcAuthError: too long for IPMI 2.0."""
        self.username = _encoded(credential.username)
        self.password = _encoded(credential.password.reveal())
        self.kg = _encoded(credential.kg.reveal()) if credential.kg else self.password
        self.privilege = int(credential.privilege)
        # Privilege 0 asks for "the highest that matches"; the answer's value means nothing on some
        # BMCs (ipmi_sim says 0), so the level is raised and checked inside the session.
        names_level = {Workaround.OPEN_SESSION_PRIVILEGE, Workaround.PADDED_USERNAME} & workarounds
        self.open_privilege = self.privilege if names_level else 0
        self.role = self.rakp3_role = ROLE_NAME_ONLY | self.privilege
        if not self.username:
            raise BmcInsecure(reason="null_user")
        if len(self.username) > MAX_USERNAME_BYTES:
            raise BmcAuthError(reason="username_too_long")
        if max(len(self.password), len(self.kg)) > MAX_PASSWORD_BYTES:
            raise BmcAuthError(reason="password_too_long")
        self.sent_username = self.username
        if Workaround.PADDED_USERNAME in workarounds:
            self.sent_username = self.username.ljust(MAX_USERNAME_BYTES, b"\0")
            self.rakp3_role = self.privilege

    def __repr__(self) -> str:
        return "<Account>"


def _raise_status(status: int) -> None:
    if status in SUITE_REFUSED:
        raise SuiteRefusedError(status)
    if status in ID_UNKNOWN:
        raise HalfOpenLostError
    raise STATUS_ERRORS.get(status, BmcProtocolError)(status=status)


class Exchange:
    """Ask in this order: `open_request`, `rakp1`, `rakp3`, `keys`.

    Each step takes the payload of the BMC's answer and gives the next datagram.
    :raises WireError: not an answer to this attempt; drop it and go on waiting.
    :raises SuiteRefusedError, HalfOpenLostError: try again with other values.
    :raises BmcError: the BMC said no, or is not what it should be.
    """

    __slots__ = (
        "_account",
        "_bmc_id",
        "_console_random",
        "_session_key",
        "_tag",
        "_values",
        "console_id",
        "suite",
    )

    def __init__(self, account: Account, suite: Suite) -> None:
        noise = os.urandom(21)
        self.suite = suite
        self.console_id = int.from_bytes(noise[:4], "little") or 1
        self._tag = noise[4]
        self._console_random = noise[5:]
        self._account = account
        self._bmc_id = 0
        self._session_key = b""
        self._values: Handshake | None = None

    @property
    def bmc_id(self) -> int:
        return self._bmc_id

    def open_request(self) -> bytes:
        return build_open_request(
            OpenRequest(
                self._tag, self._account.open_privilege, self.console_id, self.suite.algorithms
            )
        )

    def rakp1(self, payload: bytes) -> bytes:
        """Check the Open Session answer; it must repeat the proposed algorithms exactly (B6)."""
        answer = parse_open_response(payload)
        self._check_ours(answer.tag, answer.status, answer.console_id)
        if answer.status:
            _raise_status(answer.status)
        if answer.algorithms != self.suite.algorithms:
            raise BmcInsecure(reason="other_algorithms")
        if not answer.bmc_id:
            raise BmcProtocolError(reason="session_id")
        self._bmc_id = answer.bmc_id
        random, account = self._console_random, self._account
        return build_rakp1(
            Rakp1(self._tag, self._bmc_id, random, account.role, account.sent_username)
        )

    def rakp3(self, payload: bytes) -> bytes:
        """Check RAKP 2: only an endpoint that knows the password gets a RAKP 3 (B4, B6)."""
        answer = parse_rakp2(payload)
        self._check_ours(answer.tag, answer.status, answer.console_id)
        if answer.status:
            _raise_status(answer.status)
        account = self._account
        values = Handshake(
            self.suite,
            self.console_id,
            self._bmc_id,
            self._console_random,
            answer.bmc_random,
            answer.guid,
            account.role,
            account.sent_username,
        )
        if not hmac.compare_digest(values.rakp2_code(account.password), answer.auth_code):
            raise BmcAuthError(stage="rakp2")
        self._values = values
        self._session_key = values.session_key(account.kg)
        own = values._replace(role=account.rakp3_role, username=account.username)
        return build_rakp3(Rakp3(self._tag, 0, self._bmc_id, own.rakp3_code(account.password)))

    def keys(self, payload: bytes) -> Keys:
        """Check RAKP 4 and give the keys of the session."""
        answer = parse_rakp4(payload)
        self._check_ours(answer.tag, answer.status, answer.console_id)
        if answer.status:
            _raise_status(answer.status)
        if self._values is None:
            raise WireError("RAKP 4 before RAKP 2")
        expected = self._values.rakp4_check(self._session_key)
        if not hmac.compare_digest(expected, answer.check):
            raise BmcAuthError(stage="rakp4")  # the password is right, so it is the BMC key (Kg)
        return self.unconfirmed_keys()

    def unconfirmed_keys(self) -> Keys:
        """Give the keys the session has if RAKP 3 arrived; RAKP 4 would only prove it."""
        return Keys(self.suite, self._session_key)

    def _check_ours(self, tag: int, status: int, console_id: int) -> None:
        # A refusal may leave the session id out (ipmi_sim) or zero.
        if tag != self._tag or (console_id != self.console_id and (console_id or not status)):
            raise WireError("not our attempt")
