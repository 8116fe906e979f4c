"""Who asks the REST API: a script with a token, or a browser with its session."""

from __future__ import annotations

from typing import Any

from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.exceptions import AuthenticationFailed


class TokenAuthentication(KnoxAuthentication):  # type: ignore[misc]  # has no types
    """`Authorization: Token …`; only hashes of tokens are stored. Any other bytes are no token."""

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isalnum() or not token.isascii():
            raise AuthenticationFailed
        return super().authenticate_credentials(token)
