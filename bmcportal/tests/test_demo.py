"""`make demo` as a person meets it: one command, then a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bmcportal.tests.production import ROOT, free_port, wait_until


class Demo:
    """The running command: its lines, its address, its password."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        subprocess.run(
            [sys.executable, "deploy/local_keys.py", str(folder)], cwd=ROOT, check=True, timeout=20
        )
        environment = {
            **os.environ, "DJANGO_SETTINGS_MODULE": "bmcportal.settings", "DATA_DIR": str(folder),
            "SECRET_KEY_FILE": str(folder / "secret_key"), "BMC_NETWORKS": "127.0.0.0/8",
            "CREDENTIAL_KEYS_FILE": str(folder / "credential_keys"), "POLL_SECONDS": "5",
            "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        for name in ("SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_URL", "REDIS_URL"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [
                sys.executable, "manage.py", "demo", "--servers", "4", "--port", str(self.port),
                "--bmc-port", str(free_port()), "--control-port", str(free_port()),
            ],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self.process.stdout:
            self.lines.extend(self.process.stdout)

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def password(self) -> str:
        found = re.search(r"Sign in as admin with the password (\S+)", self.said)
        return found.group(1) if found else ""

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reader.join(10)
        if self.process.stdout:
            self.process.stdout.close()
        return code


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path)
    try:
        yield running
    finally:
        running.end()


@pytest.mark.timeout(150)
def test_sign_in_see_live_states_and_power_a_server_off(demo: Demo) -> None:
    wait_until(lambda: demo.password() and demo.is_ready(), 60, "the start")
    with httpx.Client(base_url=demo.url, timeout=20, follow_redirects=True) as browser:
        page = browser.get("/")
        assert "Sign in" in page.text
        form = {"username": "admin", "password": demo.password()}
        page = browser.post(page.url, data=form | _token(browser), headers={"Referer": demo.url})
        assert page.status_code == 200
        wait_until(lambda: "is-on" in browser.get("/servers/").text, 30, "a state")
        link = re.search(
            r'href="(/servers/\d+/)"[^>]*>\s*web-eu-001', browser.get("/servers/").text
        )
        assert link
        server = link.group(1)
        confirm = browser.get(f"{server}power/soft_off/")
        assert "Nothing has been sent" in confirm.text
        hidden = dict(re.findall(r'name="(request_key)" value="([^"]+)"', confirm.text))
        answer = browser.post(
            f"{server}power/soft_off/", data=hidden | _token(browser), headers={"Referer": demo.url}
        )
        assert answer.status_code == 200
        wait_until(lambda: "Shutting down" in browser.get(server).text, 30, "the transition")
        done = wait_until(lambda: _verified(browser.get(server).text), 90, "the verified result")
        assert done
    assert demo.end() == 0
    assert "Traceback" not in demo.said


def _token(browser: httpx.Client) -> dict[str, str]:
    return {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}


def _verified(page: str) -> bool:
    return "is-off" in page and "verified" in page and "Shutting down" not in page
