"""Keys and codes of an RMCP+ session (IPMI 2.0 §13.28-13.32), for cipher suites 3 and 17."""

from __future__ import annotations

import hmac
import os
import struct
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from apps.bmc.rmcp.wire import (
    AUTH_RMCP_PLUS,
    FLAG_AUTHENTICATED,
    FLAG_ENCRYPTED,
    MAX_DATAGRAM,
    PAYLOAD_IPMI,
    WireError,
)
from apps.bmc.values import CipherSuite


class Suite(NamedTuple):
    """`algorithms` are the numbers of authentication, integrity and confidentiality on the wire."""

    number: CipherSuite
    algorithms: tuple[int, int, int]
    digest: str
    mac_length: int


SUITES: Final = {
    CipherSuite.SHA1: Suite(CipherSuite.SHA1, (1, 1, 1), "sha1", 12),
    CipherSuite.SHA256: Suite(CipherSuite.SHA256, (3, 4, 1), "sha256", 16),
}

_HEAD: Final = struct.Struct("<4sBBIIH")
_RMCP_IPMI: Final = b"\x06\x00\xff\x07"
_SEALED: Final = FLAG_ENCRYPTED | FLAG_AUTHENTICATED | PAYLOAD_IPMI
_PADS: Final = tuple(bytes(range(1, n + 1)) + bytes((n,)) for n in range(16))
_ALIGN: Final = tuple(b"\xff" * n + bytes((n, 7)) for n in range(4))


class Handshake(NamedTuple):
    """All values both sides know after RAKP 1 and 2."""

    suite: Suite
    console_id: int
    bmc_id: int
    console_random: bytes
    bmc_random: bytes
    guid: bytes
    role: int
    username: bytes

    @property
    def _name(self) -> bytes:
        return bytes((self.role, len(self.username))) + self.username

    def rakp2_code(self, password: bytes) -> bytes:
        ids = struct.pack("<II", self.console_id, self.bmc_id)
        data = ids + self.console_random + self.bmc_random + self.guid + self._name
        return hmac.digest(password, data, self.suite.digest)

    def rakp3_code(self, password: bytes) -> bytes:
        data = self.bmc_random + struct.pack("<I", self.console_id) + self._name
        return hmac.digest(password, data, self.suite.digest)

    def session_key(self, kg: bytes) -> bytes:
        """The SIK. `kg` is the BMC key, or the password where none is set (one-key login)."""
        data = self.console_random + self.bmc_random + self._name
        return hmac.digest(kg, data, self.suite.digest)

    def rakp4_check(self, session_key: bytes) -> bytes:
        data = self.console_random + struct.pack("<I", self.bmc_id) + self.guid
        return hmac.digest(session_key, data, self.suite.digest)[: self.suite.mac_length]


class Keys:
    """Seals and opens the datagrams of one session."""

    __slots__ = ("_aes", "_digest", "_k1", "_mac_length")

    def __init__(self, suite: Suite, session_key: bytes) -> None:
        # The constants have 20 bytes for every suite (IPMI 2.0 §13.32), not the digest's length.
        self._digest = suite.digest
        self._mac_length = suite.mac_length
        self._k1 = hmac.digest(session_key, b"\x01" * 20, suite.digest)
        k2 = hmac.digest(session_key, b"\x02" * 20, suite.digest)
        self._aes = algorithms.AES(k2[:16])

    def __repr__(self) -> str:
        return f"<Keys {self._digest}>"

    def seal(self, peer_id: int, sequence: int, message: bytes) -> bytes:
        """Encrypt and sign one IPMI message for the peer's session id."""
        iv = os.urandom(16)
        encryptor = Cipher(self._aes, modes.CBC(iv)).encryptor()
        body = iv + encryptor.update(message + _PADS[-(len(message) + 1) % 16])
        head = _HEAD.pack(_RMCP_IPMI, AUTH_RMCP_PLUS, _SEALED, peer_id, sequence, len(body))
        signed = (head + body)[4:] + _ALIGN[-(len(body) + 14) % 4]
        mac = hmac.digest(self._k1, signed, self._digest)[: self._mac_length]
        return _RMCP_IPMI + signed + mac

    def open(self, datagram: bytes) -> tuple[int, int, bytes]:
        """Check the signature, then decrypt: (session id, sequence, IPMI message).

        Nothing of the content is looked at before the signature holds.
        :raises WireError: anything but an authentic, encrypted IPMI message.
        """
        if not 16 <= len(datagram) <= MAX_DATAGRAM:
            raise WireError("datagram length")
        rmcp, auth, kind, session_id, sequence, length = _HEAD.unpack_from(datagram)
        if rmcp[0] != 6 or rmcp[3] != 7 or auth != AUTH_RMCP_PLUS or kind != _SEALED:
            raise WireError("not a sealed IPMI payload")
        if len(datagram) < 16 + length + 2 + self._mac_length:
            raise WireError("truncated")
        mac = hmac.digest(self._k1, datagram[4 : -self._mac_length], self._digest)
        if not hmac.compare_digest(mac[: self._mac_length], datagram[-self._mac_length :]):
            raise WireError("integrity")
        body = datagram[16 : 16 + length]
        if length < 32 or length % 16:
            raise WireError("payload length")
        decryptor = Cipher(self._aes, modes.CBC(body[:16])).decryptor()
        plain = decryptor.update(body[16:])
        pad = plain[-1]
        if pad > 15 or pad + 1 > len(plain):
            raise WireError("padding")
        return session_id, sequence, plain[: len(plain) - pad - 1]
