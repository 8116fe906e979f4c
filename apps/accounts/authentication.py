"""Who asks the REST API: a script with an API token or a JSON web token.

Both are asked at every request what their person may do now. A browser comes with its session.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxAuthentication
from knox.crypto import hash_token
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts.models import ApiToken, ScriptSession, User
from apps.accounts.selectors import password_change_needed, second_factor_missing
from apps.accounts.services.bearer import TokenRefused, access_token_check
from apps.accounts.services.tokens import api_token_used
from apps.clusters.choices import Role
from apps.core.http import peer_address
from apps.core.problems import Problem


class TokenAuthentication(KnoxAuthentication):  # type: ignore[misc]  # has no types
    """`Authorization: Token …`; only hashes of tokens are stored. Any other bytes are no token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        found: tuple[User, ApiToken] | None = super().authenticate(request)
        if found is not None:
            api_token_used(token=found[1], address=peer_address(request))
        return found

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        if not token.isalnum() or not token.isascii():
            raise AuthenticationFailed
        rows = ApiToken.objects.select_related("user")
        kept = rows.filter(digest=hash_token(token.decode("ascii"))).first()
        if kept is None or not kept.is_live or not kept.user.is_active:
            raise AuthenticationFailed
        kept.user.role_ceiling = Role(kept.role_ceiling)
        _policy_check(kept.user)
        return kept.user, kept


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`, with an access token of `/api/auth/token`."""

    def authenticate(self, request: Request) -> tuple[User, ScriptSession] | None:
        scheme, *told = get_authorization_header(request).split() or [b""]
        if scheme.lower() != b"bearer":
            return None
        if len(told) != 1 or not told[0].isascii():
            raise AuthenticationFailed
        address = peer_address(request)
        try:
            session = access_token_check(token=told[0].decode("ascii"), address=address)
        except TokenRefused:
            raise AuthenticationFailed from None
        if password_change_needed(session.user):
            raise Problem(HTTPStatus.FORBIDDEN, "password_change_needed")
        _policy_check(session.user)
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _policy_check(user: User) -> None:
    """:raises Problem: 403, the policy asks this person's roles for a second factor."""
    if second_factor_missing(user):
        raise Problem(HTTPStatus.FORBIDDEN, "second_factor_missing")


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "apps.accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "“Token …”: an API token, made on the page of your account, at "
            "`/api/tokens/` or by `manage.py api_token`.",
        }


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "apps.accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token of `/api/auth/token`; it works for five minutes.",
        }
