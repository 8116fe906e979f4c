"""`check --deploy` in production settings: clean as documented, not with what is dangerous."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCTION = {
    "DATABASE_URL": "postgres://portal:x@postgres:5432/portal",
    "REDIS_URL": "redis://redis:6379/0",
    "HTTPS": "true",
    "ALLOWED_HOSTS": "bmc.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://bmc.example.org",
    "FORWARDED_ALLOW_IPS": "10.0.0.5",
    "SECRET_KEY": secrets.token_urlsafe(64),
    "CREDENTIAL_KEYS": "k1:" + base64.b64encode(os.urandom(32)).decode(),
}


def check(folder: Path, **changed: str) -> tuple[int, str]:
    """Run it in a process of its own, with these variables and no others."""
    environment = {
        **PRODUCTION, **changed, "DATA_DIR": str(folder), "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "bmcportal.settings",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_production_is_clean(tmp_path: Path) -> None:
    assert check(tmp_path) == (0, "System check identified no issues (1 silenced).\n")


@pytest.mark.parametrize(
    ("name", "value", "names"),
    [
        ("DEBUG", "true", "security.W018"),
        ("HTTPS", "false", "security.W012"),
        ("SECRET_KEY", "a" * 60, "security.W009"),
        ("SECRET_KEY", "short", "SECRET_KEY expects at least 50 random characters"),
        ("CREDENTIAL_KEYS", "", "CREDENTIAL_KEYS is empty"),
        ("CREDENTIAL_KEYS", "k:" + base64.b64encode(b"k" * 32).decode(), "portal.W005"),
        ("ALLOWED_HOSTS", "*", "portal.W001"),
        ("ALLOWED_HOSTS", ".example.org", "portal.W001"),
        ("FORWARDED_ALLOW_IPS", "*", "portal.W002"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1, 0.0.0.0/0", "portal.W002"),
        ("CSRF_TRUSTED_ORIGINS", "http://bmc.example.org", "portal.W003"),
        ("CSRF_TRUSTED_ORIGINS", "https://*.example.org", "portal.W003"),
        ("BMC_NETWORKS", "0.0.0.0/0", "portal.W004"),
    ],
)
def test_what_is_dangerous_fails_and_is_named(
    tmp_path: Path, name: str, value: str, names: str
) -> None:
    code, said = check(tmp_path, **{name: value})
    assert code != 0
    assert names in said


def test_a_secret_is_in_no_message(tmp_path: Path) -> None:
    for name in ("HTTPS", "DEBUG"):
        said = check(tmp_path, **{name: "maybe"})[1]
        assert f"{name} is 'maybe', but expects true or false" in said
        assert not [key for key in ("SECRET_KEY", "CREDENTIAL_KEYS") if PRODUCTION[key] in said]
