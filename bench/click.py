"""The list and a power click while 10 % of 200 BMCs are dead.

usage: python -m bench.click   (prints JSON; needs PostgreSQL and Redis)

Production mode on this machine. The page is asked for while the dead ones are being polled; then
healthy servers, one after another, are powered on by the form of their page, and the clock runs
from the POST to the committed result "verified by reading".
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx

from apps.bmc import PowerState
from apps.simulator.thread import FleetThread
from bmcportal.tests.production import Production, wait_until
from bmcportal.tests.test_production_service import PASSWORD, SEED, result

SERVERS: Final = 200
DEAD_EVERY: Final = 10
CLICKS: Final = 10
PAGES: Final = 20
KNOWN = "SELECT count(*) FROM inventory_serverstatus WHERE power <> 'unknown'"
NEWEST = "SELECT max(job_id) FROM jobs_jobtarget WHERE server_id = %s"


def signed_in(url: str) -> httpx.Client:
    browser = httpx.Client(base_url=url, follow_redirects=True, timeout=30)
    page = browser.get("/servers/")
    form = {
        "username": "admin", "password": PASSWORD,
        "csrfmiddlewaretoken": browser.cookies["csrftoken"],
    }  # fmt: skip
    browser.post(page.url, data=form, headers={"Referer": url})
    return browser


def page_seconds(browser: httpx.Client) -> list[float]:
    found = []
    for _ in range(PAGES):
        began = time.monotonic()
        browser.get("/servers/").raise_for_status()
        found.append(time.monotonic() - began)
    return found


def click_seconds(running: Production, browser: httpx.Client, pk: int) -> float:
    """Press "Power on" as the form of the page does, and wait for the committed result."""
    where = f"/servers/{pk}/power/on/"
    page = browser.get(where).text
    key = re.search(r'name="request_key" value="([0-9a-f-]+)"', page)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    if key is None or token is None:
        raise RuntimeError("the confirmation has no form")
    form = {"request_key": key[1], "csrfmiddlewaretoken": token[1], "reason": "bench"}
    began = time.monotonic()
    browser.post(where, data=form, headers={"Referer": running.url})
    job = int(running.query(NEWEST, pk)[0][0])
    while not result(running, job):
        if time.monotonic() - began > 30:
            raise TimeoutError("the order did not end")
        time.sleep(0.02)
    ended = result(running, job)
    if ended != "succeeded":
        raise RuntimeError(f"the order ended {ended}")
    return time.monotonic() - began


def main() -> int:
    with (
        FleetThread(count=SERVERS, network="127.44.0.0/24") as simulated,
        tempfile.TemporaryDirectory() as folder,
        Production(Path(folder)) as running,
    ):
        fleet: Any = simulated.fleet
        given = {
            "username": fleet.username, "password": fleet.password, "port": fleet.port,
            "addresses": [bmc.address for bmc in fleet],
        }  # fmt: skip
        for index in range(0, SERVERS, DEAD_EVERY):
            fleet[index].set_faults(silent=True)
        targets = [index for index in range(SERVERS) if index % DEAD_EVERY == 1][:CLICKS]
        for index in targets:
            fleet[index].press_power(PowerState.OFF)
        running.python(SEED.format(given=json.dumps(given), password=PASSWORD))
        running.start_web()
        running.start_bmc_worker("bmc1")
        alive = SERVERS - SERVERS // DEAD_EVERY
        wait_until(lambda: running.query(KNOWN)[0][0] == alive, 60, "a reading of each")
        rows = running.query("SELECT id FROM inventory_server ORDER BY id")
        browser = signed_in(running.url)
        pages = page_seconds(browser)
        clicks = [click_seconds(running, browser, rows[index][0]) for index in targets]
        browser.close()
    found = {
        "page_median": round(statistics.median(pages), 3), "page_worst": round(max(pages), 3),
        "click_median": round(statistics.median(clicks), 2),
        "click_worst": round(max(clicks), 2),
    }  # fmt: skip
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
