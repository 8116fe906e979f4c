from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from bmcportal import environment as env
from bmcportal.database import database_from_url


def test_a_file_holds_the_value_without_its_newline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    assert env.text("A_KEY") == "from the file"


def test_rates_change_only_what_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", " search=5/60, ")
    found = env.rates("X", {"search": (1, 1), "scan": (2, 2)})
    assert found == {"search": (5, 60), "scan": (2, 2)}


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY_FILE", "/nowhere/key")
    with pytest.raises(ImproperlyConfigured, match="A_KEY_FILE points to /nowhere/key"):
        env.text("A_KEY")


def test_a_variable_that_must_be_set_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="NOT_SET_ANYWHERE is not set"):
        env.text("NOT_SET_ANYWHERE")


@pytest.mark.parametrize(
    ("read", "value", "expects"),
    [
        (lambda: env.number("X", 5, 1, 10), "11", "a whole number from 1 to 10"),
        (lambda: env.number("X", 5, 1, 10), "many", "a whole number from 1 to 10"),
        (lambda: env.flag("X", True), "maybe", "true or false"),
        (lambda: env.networks("X", ""), "10.0.0.1/8", "networks such as"),
        (lambda: env.networks("X", ""), "all", "networks such as"),
        (lambda: env.url("X", "", ("redis",)), "http://x", "redis://"),
        (lambda: env.rates("X", {"search": (1, 1)}), "search=0/60", "search=120/60"),
        (lambda: env.rates("X", {"search": (1, 1)}), "search=5", "search=120/60"),
        (lambda: env.rates("X", {"search": (1, 1)}), "nothing=5/60", "of search"),
    ],
)
def test_a_wrong_value_says_what_is_expected(
    read: object, value: str, expects: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured, match=expects):
        read()  # type: ignore[operator]  # a callable of the table above


def test_a_wrong_url_does_not_repeat_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "http://user:hunter2@host")
    with pytest.raises(ImproperlyConfigured) as caught:
        env.url("X", "", ("redis",))
    assert "hunter2" not in str(caught.value)


def test_no_networks_means_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "")
    assert env.networks("X", "10.0.0.0/8") == ()
    monkeypatch.setenv("X", "10.0.0.0/8, fc00::/7")
    assert env.networks("X", "") == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("fc00::/7"),
    )


def test_the_database_is_sqlite_or_postgresql() -> None:
    assert "pool" in database_from_url("postgres://u:p@h:5432/d")["OPTIONS"]
    assert "WAL" in database_from_url("sqlite:////tmp/x.db")["OPTIONS"]["init_command"]
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL expects"):
        database_from_url("mysql://u:p@h/d")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "short", "at least 50 random characters"),
        ("CREDENTIAL_KEYS", "k1:abc", "32 random bytes"),
        ("CREDENTIAL_KEYS", "", "could not be kept"),
        ("BMC_POOL_SIZE", "0", "a whole number from 1 to 1000"),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL expects postgres://"),
        ("REDIS_URL", "amqp://x", "REDIS_URL expects redis://"),
    ],
)
def test_the_start_stops_with_a_sentence(name: str, value: str, sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import bmcportal.settings_test"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode != 0
    assert sentence in done.stderr.splitlines()[-1]
