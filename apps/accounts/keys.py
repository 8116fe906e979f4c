"""Security keys (WebAuthn): what the browser is asked, and whether its answer is right."""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from cryptography.exceptions import UnsupportedAlgorithm
from django.core.exceptions import ValidationError

from apps.accounts.models import User

# Whatever a hostile answer makes the parsers of CBOR and base64 stumble over.
UNREADABLE: Final = (
    ValidationError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError,
    RecursionError, NotImplementedError, UnsupportedAlgorithm, struct.error,
)  # fmt: skip


def question_to_add(user: User) -> str:
    """Return the options of `navigator.credentials.create` as JSON; the session keeps the rest."""
    return json.dumps(auth.begin_registration(user, passwordless=False), default=dict)


def question_to_prove(user: User) -> str:
    """Return the options of `navigator.credentials.get` as JSON; the session keeps the rest."""
    return json.dumps(auth.begin_authentication(user), default=dict)


def answer_registers(answer: Any) -> dict[str, Any] | None:
    """Return what to keep of a key that was touched now, or None if it answers no question."""
    try:
        auth.parse_registration_response(answer)
        auth.complete_registration(answer)
        told = answer["response"]
        return {
            "id": answer["id"],
            "rawId": answer["rawId"],
            "type": "public-key",
            "response": {name: told[name] for name in ("attestationObject", "clientDataJSON")},
        }
    except UNREADABLE:
        return None


def answer_proves(user: User, answer: Any) -> Authenticator | None:
    """Return the key of this person that answered the last question, or None."""
    try:
        auth.parse_authentication_response(answer)
        found: Authenticator = auth.complete_authentication(user, answer)
    except UNREADABLE:
        return None
    return found
