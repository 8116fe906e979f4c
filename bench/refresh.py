"""Reading 1,000 servers anew, from the press of a button to the last committed result.

usage: python -m bench.refresh [--count N]   (prints JSON; as root)
Needs PostgreSQL, Redis, ipmi_sim and ipmitool.

Production mode on this machine: PostgreSQL, Redis, one web process, two bmc workers. All servers of
the list are selected and *Read now* is posted; the clock runs until the database holds a newer
reading of each. Beside it, in the same run and on the same fleet, `xargs -P 50 ipmitool`.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.__main__ import ipmitool
from bench.click import signed_in
from bench.ipmi_sim_fleet import PASSWORD, USERNAME, IpmiSimFleet
from bmcportal.tests.production import Production, wait_until
from bmcportal.tests.test_production_service import PASSWORD as SIGN_IN
from bmcportal.tests.test_production_service import SEED

ROUNDS: Final = 3
OLDER = (
    "SELECT count(*) FROM inventory_serverstatus WHERE power_read_at IS NULL OR power_read_at < %s"
)
NOW = "SELECT clock_timestamp()"


def refresh_seconds(running: Production) -> float:
    browser = signed_in(running.url)
    page = browser.get("/servers/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    if token is None:
        raise RuntimeError("the list has no form")
    form = {"csrfmiddlewaretoken": token[1], "act": "all", "query": "", "selection": ""}
    headers = {"Referer": running.url}
    answer = browser.post("/servers/selection", data=form, headers=headers)
    selection = re.search(r"selection=([0-9a-f-]{36})", str(answer.url) + answer.text)
    if selection is None:
        raise RuntimeError("nothing was selected")
    since, began = running.query(NOW)[0][0], time.monotonic()
    where = f"/servers/bulk/read?selection={selection[1]}"
    browser.post(where, data=form, headers=headers, follow_redirects=False)
    while running.query(OLDER, since)[0][0]:
        if time.monotonic() - began > 60:
            raise TimeoutError("not every server was read")
        time.sleep(0.02)
    browser.close()
    return time.monotonic() - began


def measure(fleet: IpmiSimFleet, count: int) -> dict[str, object]:
    addresses = [fleet.address(index) for index in range(count)]
    given = {"username": USERNAME, "password": PASSWORD, "port": fleet.port, "addresses": addresses}
    with (
        tempfile.TemporaryDirectory() as folder,
        # Nothing is due by itself while it is measured.
        Production(Path(folder), POLL_SECONDS="120") as running,
    ):
        running.python(SEED.format(given=json.dumps(given), password=SIGN_IN))
        running.start_web()
        running.start_bmc_worker("bmc1")
        running.start_bmc_worker("bmc2")
        known = "SELECT count(*) FROM inventory_serverstatus WHERE power <> 'unknown'"
        wait_until(lambda: running.query(known)[0][0] == count, 120, "a reading of each")
        ours = [refresh_seconds(running) for _ in range(ROUNDS)]
    theirs, _, answered = ipmitool(addresses)
    return {
        "count": count,
        "portal_seconds": [round(one, 2) for one in ours],
        "ipmitool_seconds": round(theirs, 2),
        "ipmitool_answered": answered,
        "times_faster": round(theirs / statistics.median(ours), 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    fleet = IpmiSimFleet()
    try:
        fleet.start(count, settle_seconds=2 + count / 200)
        print(json.dumps(measure(fleet, count)))
    finally:
        fleet.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
