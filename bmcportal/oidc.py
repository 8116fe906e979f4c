"""Sign-in with another service (OpenID Connect), if the environment names one."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from bmcportal import environment as env

NAMES: Final = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def oidc_from_environment() -> dict[str, Any]:
    """Return what django-allauth wants to know of the service; empty without one.

    :raises ImproperlyConfigured: some of it is missing, or the issuer cannot be one.
    """
    values = {name: env.text(name, "") for name in NAMES}
    missing = [name for name, value in values.items() if not value]
    if len(missing) == len(NAMES):
        return {}
    if missing:
        raise ImproperlyConfigured(
            f"{' and '.join(missing)} missing: sign-in with another service expects "
            f"{', '.join(NAMES)}, or none of them."
        )
    issuer, client_id, secret = values.values()
    origin_of(issuer)
    return oidc_app(issuer, client_id, secret, env.text("OIDC_NAME", "") or "OpenID Connect")


def oidc_app(issuer: str, client_id: str, secret: str, name: str) -> dict[str, Any]:
    return {
        "provider_id": "oidc",
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": issuer.rstrip("/"), "oauth_pkce_enabled": True},
    }


def origin_of(issuer: str) -> str:
    """Return scheme, host and port: the sign-in form leads there.

    :raises ImproperlyConfigured: it is no address to which a client secret may be sent.
    """
    try:
        parts = urlsplit(issuer)
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in _LOOPBACK
        )
        is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
        if is_safe and is_plain and parts.hostname:
            return f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        pass
    raise ImproperlyConfigured(f"OIDC_ISSUER is {issuer!r}, but expects https://host/path.")
