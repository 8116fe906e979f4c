"""How long a change at a BMC takes to another person's page, with 200 sockets open.

usage: python -m bench.live_push   (prints JSON; needs PostgreSQL, Redis and Chromium)

Production mode on this machine: PostgreSQL, Redis, one web process, one bmc worker, 100 simulated
BMCs. 200 sockets follow all of them, as does one page in Chromium; BMCs change their power by
themselves, and the clock runs until the last socket and the page show it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
import websockets
from playwright.async_api import Page, async_playwright

from apps.bmc import PowerState
from apps.simulator.thread import FleetThread
from bmcportal.tests.chromium import ARGUMENTS
from bmcportal.tests.production import Production, wait_until
from bmcportal.tests.test_production_service import PASSWORD, SEED

SERVERS: Final = 100
SOCKETS: Final = 200
ROUNDS: Final = 8
GIVE_UP_SECONDS: Final = 30.0
STATE: Final = "bp-state is-"
KNOWN = "SELECT count(*) FROM inventory_serverstatus WHERE power <> 'unknown'"


class Reader:
    """One socket that waits for one server at a time; it looks at nothing else in the frames, so
    that two hundred of them leave the machine to the portal."""

    def __init__(self) -> None:
        self.wanted = ""
        self.state = ""
        self.heard_at = 0.0
        self.heard = asyncio.Event()

    async def run(self, url: str, cookie: str, ids: list[int]) -> None:
        headers = {"Cookie": cookie, "Origin": url}
        path = url.replace("http", "ws", 1) + "/ws/live/"
        async with websockets.connect(path, additional_headers=headers, max_size=None) as line:
            await line.send(json.dumps({"subscribe": ids, "page": "list"}))
            async for text in line:
                self._look(str(text))

    def _look(self, text: str) -> None:
        at = text.find(self.wanted)
        if at < 0 or self.heard.is_set():
            return
        if text.startswith(self.state, text.find(STATE, at)):
            self.heard_at = time.monotonic()
            self.heard.set()

    def expect(self, pk: int, state: str) -> None:
        self.wanted, self.state = f'<tbody id="server-{pk}"', STATE + state
        self.heard.clear()

    async def wait(self, since: float) -> float:
        """Return seconds from `since` until it was heard."""
        await asyncio.wait_for(self.heard.wait(), GIVE_UP_SECONDS)
        return self.heard_at - since


def sign_in(url: str) -> str:
    with httpx.Client(base_url=url, follow_redirects=True, timeout=20) as browser:
        page = browser.get("/servers/")
        form = {
            "username": "admin", "password": PASSWORD,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }  # fmt: skip
        browser.post(page.url, data=form, headers={"Referer": url})
        return f"sessionid={browser.cookies['sessionid']}"


async def measure(running: Production, fleet: Any, ids: list[int]) -> dict[str, Any]:
    cookie = sign_in(running.url)
    readers = [Reader() for _ in range(SOCKETS)]
    for one in readers:
        one.expect(ids[-1], "on")
    tasks = [asyncio.create_task(one.run(running.url, cookie, ids)) for one in readers]
    async with async_playwright() as tools:
        browser = await tools.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        context = await browser.new_context(base_url=running.url)
        name, value = cookie.split("=", 1)
        await context.add_cookies([{"name": name, "value": value, "url": running.url}])
        page = await context.new_page()
        await page.goto("/servers/")
        await page.get_by_text("Live", exact=True).wait_for()
        await asyncio.gather(*(one.wait(0.0) for one in readers))
        rounds = [await change(fleet, readers, page, ids, number) for number in range(ROUNDS)]
        await browser.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "sockets": SOCKETS,
        "servers": SERVERS,
        "page_seconds": [round(one[0], 2) for one in rounds],
        "page_worst": max(one[0] for one in rounds),
        "page_median": statistics.median(one[0] for one in rounds),
        "last_socket_worst": max(one[1] for one in rounds),
        "spread_worst": max(one[1] - one[2] for one in rounds),
    }


async def change(
    fleet: Any, readers: list[Reader], page: Page, ids: list[int], number: int
) -> tuple[float, float, float]:
    """Let one machine go off; return seconds to the page, to the last and to the first socket."""
    index = 7 * number
    for one in readers:
        one.expect(ids[index], "off")
    began = time.monotonic()
    fleet[index].press_power(PowerState.OFF)
    sockets = asyncio.gather(*(one.wait(began) for one in readers))
    row = page.locator(f"#server-{ids[index]} .bp-state.is-off")
    await row.wait_for(timeout=GIVE_UP_SECONDS * 1000)
    shown = time.monotonic() - began
    heard = await sockets
    return shown, max(heard), min(heard)


def main() -> int:
    with (
        FleetThread(count=SERVERS, network="127.43.0.0/24") as simulated,
        tempfile.TemporaryDirectory() as folder,
        Production(Path(folder)) as running,
    ):
        fleet = simulated.fleet
        given = {
            "username": fleet.username, "password": fleet.password, "port": fleet.port,
            "addresses": [bmc.address for bmc in fleet],
        }  # fmt: skip
        running.python(SEED.format(given=json.dumps(given), password=PASSWORD))
        running.start_web()
        running.start_bmc_worker("bmc1")
        wait_until(lambda: running.query(KNOWN)[0][0] == SERVERS, 60, "a reading of each")
        rows = running.query("SELECT id FROM inventory_server ORDER BY id")
        found = asyncio.run(measure(running, fleet, [row[0] for row in rows]))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
