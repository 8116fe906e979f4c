"""A portal that listens, and a browser that looks at it: for the tests in Chromium."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

from apps.accounts.models import User
from bmcportal.routing import websocket_application
from bmcportal.tests.chromium import ARGUMENTS

AXE: Final = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
P = ParamSpec("P")
T = TypeVar("T")


class LivePortal:
    """The ASGI application in a thread, with the test's database and the in-memory layer."""

    def __init__(self) -> None:
        http = ASGIStaticFilesHandler(ASGIHandler())
        application = ProtocolTypeRouter({"http": http, "websocket": websocket_application})
        self._server = uvicorn.Server(
            uvicorn.Config(
                application, host="127.0.0.1", port=0, lifespan="off", log_config=None,
                timeout_graceful_shutdown=2, ws="websockets-sansio",
            )
        )  # fmt: skip
        self._thread = threading.Thread(target=self._server.run, name="live-portal", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the portal did not start")
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium; skip visibly where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One browser of one person. `complaints` has what the console and the network said."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, "base_url": url} | options
        )
        self.context.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.page: Page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("pageerror", lambda error: self._heard("error", str(error)))
        page.on("response", self._answered)
        return page

    def sign_in(self, user: User) -> None:
        """Take the session of that person without the form."""
        client = Client()
        client.force_login(user, backend="apps.accounts.backends.GrantBackend")
        self.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "url": self.url,
              "value": client.cookies[settings.SESSION_COOKIE_NAME].value}]
        )  # fmt: skip

    def close(self) -> None:
        self.context.close()

    def _answered(self, answer: Response) -> None:
        if answer.status >= 500:
            self._heard("error", f"{answer.status} {answer.url}")

    def _heard(self, kind: str, text: str) -> None:
        # 4xx answers are part of some tests, and the browser tells each of them.
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(f"{kind}: {text}")


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run in a thread of its own: Playwright's loop occupies this one."""
    box: dict[str, Any] = {}

    def run() -> None:
        try:
            box["value"] = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  handed to the test
            box["error"] = error
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    return box["value"]  # type: ignore[no-any-return]  # what the function returned


def faults_of(page: Page, told: str) -> list[str]:
    """Return what axe finds on a page wide and narrow, and where it scrolls sideways."""
    faults = []
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        if is_wider_than_its_window(page):
            faults.append(f"{told} scrolls sideways at {width}")
        if width > 320:
            rules = Axe().run(page, options=AXE).response["violations"]
            faults += [
                f"{told} {width} {rule['id']}: {rule['nodes'][0]['html'][:140]}" for rule in rules
            ]
    return faults


def is_wider_than_its_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
