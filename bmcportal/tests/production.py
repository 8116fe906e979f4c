"""Production mode on this machine: the processes of docs/operations.md, for the service tests."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest
import redis

ROOT = Path(__file__).resolve().parent.parent.parent
POSTGRES = ("127.0.0.1", 5432)
POSTGRES_USER = "postgres"
REDIS_URL = "redis://127.0.0.1:6379/10"


def need_services() -> None:
    """Skip visibly where PostgreSQL or Redis is not there."""
    for name, address in (("PostgreSQL", POSTGRES), ("Redis", ("127.0.0.1", 6379))):
        try:
            socket.create_connection(address, 2).close()
        except OSError:
            pytest.skip(f"{name} does not answer on {address[0]}:{address[1]}")


def wait_until(is_true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return the first truthy answer.

    :raises TimeoutError: naming what did not happen.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = is_true()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Doorway:
    """A TCP relay to PostgreSQL that can be shut, as if the server went away."""

    def __init__(self) -> None:
        self.port = free_port()
        self._open: set[socket.socket] = set()
        self._pumps: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse new connections and cut the open ones."""
        listener, self._listener = self._listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            cut = list(self._open)
        for sock in cut:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        pumps, self._pumps = self._pumps, []
        for pump in pumps:
            pump.join(5)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(POSTGRES, 5)
            with self._lock:
                self._open |= {near, far}
            for a, b in ((near, far), (far, near)):
                pump = threading.Thread(target=self._pump, args=(a, b), daemon=True)
                self._pumps.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        """Copy until either side ends; each of the two pumps closes its own source."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        source.close()
        with self._lock:
            self._open.discard(source)


class Production:
    """PostgreSQL behind a doorway, Redis, and the processes, each with its log file."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.database = f"portal_test_{os.getpid()}_{secrets.token_hex(3)}"
        self.doorway = Doorway()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        url = f"postgres://{POSTGRES_USER}@127.0.0.1:{self.doorway.port}/{self.database}"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bmcportal.settings",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "CREDENTIAL_KEYS": "test:" + base64.b64encode(os.urandom(32)).decode(),
            "DATABASE_URL": url,
            "REDIS_URL": REDIS_URL,
            "DATA_DIR": str(folder),
            "BMC_NETWORKS": "127.0.0.0/8",
            "LOG_LEVEL": "INFO",
            **settings,
        }

    def __enter__(self) -> Self:
        with _server() as server:
            server.execute(f'CREATE DATABASE "{self.database}"')
        redis.Redis.from_url(self.environment["REDIS_URL"]).flushdb()
        self.manage("migrate", "--no-input", "-v0")
        self.manage("collectstatic", "--no-input", "-v0")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.doorway.shut()
        with _server() as server:
            server.execute(f'DROP DATABASE "{self.database}" WITH (FORCE)')

    def manage(self, *words: str, typed: str | None = None) -> str:
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60,
            input=typed,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def python(self, code: str) -> str:
        """Run a few lines inside the portal's Django; no other process can read them."""
        return self.manage("shell", "-v0", typed=code)

    def start(self, name: str, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT, env={**self.environment, **settings}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes[name] = process
        return process

    def start_web(self) -> None:
        self.start(
            "web", "uvicorn", "bmcportal.asgi:application", "--port", str(self.port),
            "--lifespan", "off", "--log-level", "warning",
        )  # fmt: skip

    def start_bmc_worker(self, name: str) -> None:
        self.start(
            name, "celery", "-A", "bmcportal", "worker", "--pool=threads", "--concurrency=2",
            "-Q", "bmc", "-n", f"{name}@test",
        )  # fmt: skip

    def start_beat(self) -> None:
        self.start("beat", "celery", "-A", "bmcportal", "beat")

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database itself, past the doorway."""
        with psycopg.connect(
            host=POSTGRES[0], port=POSTGRES[1], user=POSTGRES_USER, dbname=self.database
        ) as connection:
            return connection.execute(statement, parameters).fetchall()

    def query_write(self, statement: Any, *parameters: Any) -> None:
        """Change something behind the portal's back."""
        with psycopg.connect(
            host=POSTGRES[0], port=POSTGRES[1], user=POSTGRES_USER, dbname=self.database
        ) as connection:
            connection.execute(statement, parameters)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextmanager
def _server() -> Iterator[Any]:
    with psycopg.connect(
        host=POSTGRES[0], port=POSTGRES[1], user=POSTGRES_USER, dbname="postgres", autocommit=True
    ) as connection:
        yield connection
