"""Encryption at rest for the few texts that must come back in clear: BMC passwords and keys.

AES-256-GCM. The stored text is `v1.<key id>.<base64 of nonce and ciphertext>`. The row it belongs
to is bound in, so a ciphertext copied to another row does not decrypt. An unknown key, another row
or a changed byte raises `SecretUnreadable`; ciphertext is never returned as if it were the value.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from apps.bmc import Secret

_VERSION: Final = "v1"
_NONCE_BYTES: Final = 12


class SecretUnreadable(Exception):
    """The stored text cannot be decrypted: key missing, wrong row, or changed."""


def keys_parse(text: str) -> dict[str, bytes]:
    """Parse `CREDENTIAL_KEYS`: `id:base64` of 32 bytes, comma separated, newest first.

    :raises ValueError: with a sentence that says what is expected.
    """
    keys: dict[str, bytes] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not name.isalnum() or len(key) != 32 or name in keys:
            raise ValueError(
                "CREDENTIAL_KEYS expects id:base64 pairs, comma separated, newest first, each key "
                "32 random bytes and each id letters and digits, used once. Make one with: "
                "python manage.py credential_key"
            )
        keys[name] = key
    return keys


def _keys() -> Mapping[str, bytes]:
    keys: Mapping[str, bytes] = settings.CREDENTIAL_KEYS
    return keys


def secret_seal(secret: Secret, *, bound_to: str) -> str:
    """Encrypt with the newest key, bound to `<app>.<model>.<field>.<row uuid>`."""
    name, key = next(iter(_keys().items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, secret.reveal().encode(), bound_to.encode())
    return f"{_VERSION}.{name}.{base64.b64encode(sealed).decode()}"


def key_newest() -> str:
    """Return the id of the key that seals."""
    return next(iter(_keys()))


def key_of(stored: str) -> str:
    """Return the id of the key that a stored text names; empty for any other text."""
    version, _, rest = stored.partition(".")
    name, dot, _ = rest.partition(".")
    return name if version == _VERSION and dot else ""


def secret_open(stored: str, *, bound_to: str) -> Secret:
    """Decrypt what `secret_seal` made for the same row.

    :raises SecretUnreadable: whatever is wrong with it.
    """
    name = key_of(stored)
    key = _keys().get(name)
    if key is None:
        raise SecretUnreadable(f"no key {name!r} in CREDENTIAL_KEYS")
    try:
        sealed = base64.b64decode(stored.rpartition(".")[2], validate=True)
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return Secret(AESGCM(key).decrypt(nonce, body, bound_to.encode()).decode())
    except (binascii.Error, ValueError, InvalidTag) as error:
        raise SecretUnreadable(f"ciphertext does not belong to {bound_to}") from error
