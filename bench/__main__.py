"""`make bench`: the portal's engine beside ipmipower and ipmitool, on the same fleet, in one run.

Times differ from machine to machine, so the ratio beside each is what counts. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from apps.bmc.tests import ipmi_sim
from bench.ipmi_sim_fleet import PASSWORD, USERNAME, IpmiSimFleet

ROUNDS: Final = 5
DEAD: Final = "127.1.99.9"
INSTALL: Final = "apt-get install openipmi libopenipmi-dev gcc freeipmi-tools ipmitool"

Row = tuple[str, str, str, str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="200,1000")
    options = parser.parse_args()
    lacking = [n for n in ("ipmipower", "ipmitool") if not shutil.which(n)]
    why = ipmi_sim.missing() or (f"{', '.join(lacking)} is not installed" if lacking else "")
    if why or os.geteuid():
        print(f"make bench is skipped: {why or 'it needs root for UDP port 623'}.")
        print(f"On Debian: {INSTALL}")
        return 0
    sizes = [int(size) for size in options.sizes.split(",")]
    fleet = IpmiSimFleet()
    try:
        fleet.start(max(sizes), settle_seconds=2 + max(sizes) / 200)
        rows = [row for size in sizes for row in compare_status(fleet, size)]
        rows += one_bmc(fleet)
        rows += lossy(fleet)
    finally:
        fleet.stop()
    rows += bad_neighbours()
    rows += simulator()
    rows += production()
    say(rows)
    return 0


def say(rows: list[Row]) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; ")
    print(f"medians of {ROUNDS} interleaved rounds; the fleet shares the cores.\n")
    print("| what | portal | peer | ratio | goal |\n|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def timed(command: list[str]) -> tuple[float, float, str]:
    """Run to the end: (wall seconds, CPU seconds, output)."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, cpu, done.stdout


def client(mode: str, addresses: list[str], *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.client", mode, ",".join(addresses), *more]
    _, _, output = timed(command)
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


def ipmipower(addresses: list[str]) -> tuple[float, float, int]:
    account = ["-u", USERNAME, "-p", PASSWORD, "-D", "LAN_2_0", "-I", "3", "-W", "opensesspriv"]
    wall, cpu, output = timed(["ipmipower", "-h", ",".join(addresses), *account, "--stat"])
    return wall, cpu, output.count(": on") + output.count(": off")


def ipmitool(addresses: list[str]) -> tuple[float, float, int]:
    one = f"ipmitool -I lanplus -C 3 -U {USERNAME} -P {PASSWORD} -H {{}} chassis power status"
    feed = "\n".join(addresses)
    wall, cpu, output = timed(["sh", "-c", f"echo '{feed}' | xargs -P 50 -I{{}} {one}"])
    return wall, cpu, output.count("Power is")


def compare_status(fleet: IpmiSimFleet, size: int) -> Iterator[Row]:
    addresses = [fleet.address(i) for i in range(size)]
    client("cold", addresses), ipmipower(addresses)  # a fleet that just started is still settling
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(client("cold", addresses))
        theirs.append(ipmipower(addresses))
    answered = min(o["answered"] for o in ours), min(t[2] for t in theirs)
    wall = statistics.median(o["wall"] for o in ours), statistics.median(t[0] for t in theirs)
    cpu = statistics.median(o["cpu"] for o in ours), statistics.median(t[1] for t in theirs)
    what = f"cold status × {size}"
    yield row(f"{what}, wall", wall, "ipmipower", "≤ 1.0", answered)
    yield row(f"{what}, client CPU", cpu, "ipmipower", "≤ 1.0", answered)
    slow = ipmitool(addresses[:200])
    quick = client("cold", addresses[:200])
    yield row("cold status × 200, wall", (quick["wall"], slow[0]), "ipmitool × 50", "–")
    warm = client("open", addresses)
    yield row(
        f"status on open sessions × {size}, wall", (warm["round_seconds"], wall[1]),
        "ipmipower", "≤ 0.33",
    )  # fmt: skip
    kept = client("memory", addresses)
    yield (f"{size} open sessions", f"{kept['grown_mib']:.1f} MiB", "–", "–", "≤ 60 MiB × 1,000")


def row(
    what: str, pair: tuple[float, float], peer: str, goal: str, answered: tuple[int, int] = (0, 0)
) -> Row:
    counts = [f" ({n} answered)" if n else "" for n in answered]
    ours, theirs = pair
    return (
        what, f"{ours:.3f} s{counts[0]}", f"{peer} {theirs:.3f} s{counts[1]}",
        f"{ours / theirs:.2f}", goal,
    )  # fmt: skip


def one_bmc(fleet: IpmiSimFleet) -> Iterator[Row]:
    seconds = statistics.median(client("dead", [DEAD])["seconds"] for _ in range(3))
    yield "dead BMC known after", f"{seconds:.2f} s", "–", "–", "≤ 5 s"
    healed = statistics.median(_heal(fleet, 1) for _ in range(3))
    yield "restarted BMC read again after", f"{healed:.2f} s", "–", "–", "≤ 4 s"


def _heal(fleet: IpmiSimFleet, index: int) -> float:
    command = [sys.executable, "-m", "bench.client", "heal", fleet.address(index)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("no pipes")
        process.stdout.readline()
        fleet.restart(index)
        wait_for(lambda: ipmipower([fleet.address(index)])[2] == 1)
        process.stdin.write("\n")
        process.stdin.flush()
        return float(json.loads(process.stdout.readline())["seconds"])


def wait_for(is_true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError("a part of the bench did not start")


@contextmanager
def lossy_link(count: int, loss: float, seed: int) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.lossy_link", str(count), str(loss), str(seed)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as link:
        if link.stdout is None:
            raise RuntimeError("no pipe")
        link.stdout.readline()
        try:
            yield
        finally:
            link.terminate()


def lossy(fleet: IpmiSimFleet) -> Iterator[Row]:
    addresses = [f"127.2.0.{i + 1}" for i in range(50)]
    ours, theirs = [], []
    for seed in range(ROUNDS):
        with lossy_link(50, 0.1, seed):
            ours.append(client("cold", addresses))
        with lossy_link(50, 0.1, seed):
            theirs.append(ipmipower(addresses))
    # Until the last state is known; a logout whose answer is lost takes up to a second more.
    wall = max(o["status_seconds"] for o in ours), statistics.median(t[0] for t in theirs)
    counts = min(o["answered"] for o in ours), min(t[2] for t in theirs)
    yield row("10 % loss each way × 50 (worst wall)", wall, "ipmipower", "50 of 50 ≤ 6 s", counts)


def bad_neighbours() -> Iterator[Row]:
    _, _, output = timed([sys.executable, "-m", "bench.bad_neighbours"])
    found = json.loads(output.splitlines()[-1])
    yield (
        "25 % bad BMCs of 500, cold: p95 of the healthy", f"{found['mixed']:.3f} s",
        f"all healthy {found['alone']:.3f} s", f"{found['ratio']:.2f}", "≤ 1.2",
    )  # fmt: skip


def simulator() -> Iterator[Row]:
    _, _, output = timed([sys.executable, "-m", "bench.simulator"])
    found = json.loads(output.splitlines()[-1])
    text = f"{found['start_seconds']:.2f} s to start, {found['grown_mib']:.0f} MiB"
    yield f"simulator × {found['count']} in one process", text, "–", "–", "1,000 in one process"


def production() -> Iterator[Row]:
    """What needs PostgreSQL, Redis and Chromium; says so where they lack, and goes on."""
    for module, tell in (("refresh", refresh), ("click", clicks), ("live_push", push)):
        try:
            _, _, output = timed([sys.executable, "-m", f"bench.{module}"])
            yield from tell(json.loads(output.splitlines()[-1]))
        except (IndexError, ValueError):
            print(f"bench.{module} did not run: it needs PostgreSQL, Redis and Chromium.")


def refresh(found: dict[str, Any]) -> Iterator[Row]:
    ours = statistics.median(found["portal_seconds"])
    theirs = found["ipmitool_seconds"]
    what = f"{found['count']} servers read anew, production mode"
    yield row(what, (ours, theirs), "ipmitool × 50", "≤ 0.125")


def clicks(found: dict[str, Any]) -> Iterator[Row]:
    page, click = found["page_worst"], found["click_worst"]
    yield "list of 200, 10 % dead: worst page", f"{page:.2f} s", "–", "–", "< 2 s"
    yield "power click to verified: worst", f"{click:.2f} s", "–", "–", "< 3 s"


def push(found: dict[str, Any]) -> Iterator[Row]:
    worst = f"{found['page_worst']:.1f} s"
    yield f"change to another page, {found['sockets']} sockets: worst", worst, "–", "–", "≤ 11 s"


if __name__ == "__main__":
    sys.exit(main())
