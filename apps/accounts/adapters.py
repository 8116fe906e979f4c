"""Where the sign-in library asks the portal how it wants things."""

from __future__ import annotations

from typing import Final

from allauth.mfa.adapter import DefaultMFAAdapter

from apps.bmc import Secret
from apps.core.secrets import secret_open, secret_seal

SECOND_FACTORS: Final = "mfa.authenticator"
"""What their ciphertexts are bound to. The library does not say whose secret it is, so they are not
bound to a row: whoever can write this table could as well take the second factor away."""


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # has no types
    """Keeps the secrets of authenticator apps and recovery codes sealed, as BMC passwords are."""

    def encrypt(self, text: str) -> str:
        return secret_seal(Secret(text), bound_to=SECOND_FACTORS)

    def decrypt(self, encrypted_text: str) -> str:
        """:raises apps.core.secrets.SecretUnreadable: as `secret_open`."""
        return secret_open(encrypted_text, bound_to=SECOND_FACTORS).reveal()
