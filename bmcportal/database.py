"""The database from `DATABASE_URL`: SQLite in WAL mode, or PostgreSQL with a connection pool."""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
        "PRAGMA cache_size=-20000;"
    ),
}
_POSTGRESQL_OPTIONS = {
    # A dead server is noticed in seconds; a slow statement does not hold a worker for ever.
    "pool": {"min_size": 1, "max_size": 12, "timeout": 5},
    "connect_timeout": 3,
    "options": "-c statement_timeout=30000 -c lock_timeout=10000",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10000,
}


def database_from_url(url: str) -> dict[str, Any]:
    """Return Django's settings of one database.

    :raises ImproperlyConfigured: for anything but sqlite:// and postgres://.
    """
    try:
        config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    except ValueError:
        # Of a password with a # or a / in it, the cause would tell a part.
        raise ImproperlyConfigured("DATABASE_URL cannot be read as a URL.") from None
    engine = config.get("ENGINE", "")
    if engine.endswith("sqlite3"):
        return {**config, "OPTIONS": _SQLITE_OPTIONS}
    if engine.endswith("postgresql"):
        return {**config, "CONN_HEALTH_CHECKS": True, "OPTIONS": _POSTGRESQL_OPTIONS}
    raise ImproperlyConfigured(
        "DATABASE_URL expects postgres://user:password@host:5432/name or sqlite:///path."
    )
