"""Security keys (WebAuthn): what the browser is asked, and whether its answer is right."""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.core.exceptions import ValidationError

from apps.accounts.models import User

# Whatever a hostile answer makes the parsers of CBOR and base64 stumble over.
UNREADABLE: Final = (
    ValidationError, ValueError, TypeError, KeyError, AttributeError, IndexError, struct.error,
)  # fmt: skip


def question_to_add(user: User) -> str:
    """Return the options of `navigator.credentials.create` as JSON; the session keeps the rest."""
    return json.dumps(auth.begin_registration(user, passwordless=False), default=dict)


def question_to_prove(user: User) -> str:
    """Return the options of `navigator.credentials.get` as JSON; the session keeps the rest."""
    return json.dumps(auth.begin_authentication(user), default=dict)


def answer_registers(answer: Any) -> bool:
    """Say whether it answers the last question: a key that was touched now."""
    try:
        auth.parse_registration_response(answer)
        auth.complete_registration(answer)
    except UNREADABLE:
        return False
    return True


def answer_proves(user: User, answer: Any) -> Authenticator | None:
    """Return the key of this person that answered the last question, or None."""
    try:
        auth.parse_authentication_response(answer)
        found: Authenticator = auth.complete_authentication(user, answer)
    except UNREADABLE:
        return None
    return found
