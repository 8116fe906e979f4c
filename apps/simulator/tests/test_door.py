from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from apps.bmc.values import PowerState
from apps.simulator.door import ControlDoor, open_door, parse_control
from apps.simulator.errors import SimulatorError
from apps.simulator.fleet import Fleet


@pytest.fixture
async def door(fleet: Fleet) -> AsyncIterator[ControlDoor]:
    async with open_door(fleet) as door:
        yield door


@pytest.fixture
async def http(door: ControlDoor) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url) as http:
        yield http


async def raw(door: ControlDoor, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(door.address, door.port)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_state_and_counters_of_all_without_passwords(
    http: httpx.AsyncClient, fleet: Fleet
) -> None:
    answer = await http.get("/bmcs")
    assert answer.status_code == 200
    content = answer.json()
    assert content["count"] == 3
    assert content["bmcs"][1] == fleet[1].describe()
    assert fleet.password not in answer.text


@pytest.mark.parametrize("which", ["1", "127.11.0.2"])
async def test_faults_of_one_are_switched_on_and_off(
    http: httpx.AsyncClient, fleet: Fleet, which: str
) -> None:
    wanted = {"silent": True, "busy": 3, "duration_seconds": 60}
    answer = await http.post(f"/bmcs/{which}/faults", json=wanted)
    assert answer.json()["bmcs"][0]["faults"] == {"silent": True, "busy": 3}
    assert [bmc.faults.silent for bmc in fleet] == [False, True, False]
    answer = await http.request("DELETE", f"/bmcs/{which}/faults", json={"names": ["silent"]})
    assert answer.json()["bmcs"][0]["faults"] == {"busy": 3}
    await http.delete(f"/bmcs/{which}/faults")
    assert fleet[1].faults.active() == {}


async def test_faults_of_all(http: httpx.AsyncClient, fleet: Fleet) -> None:
    answer = await http.post("/bmcs/all/faults", json={"lie": "opposite"})
    assert answer.json()["count"] == 3
    assert all(bmc.faults.lie == "opposite" for bmc in fleet)


async def test_somebody_presses_the_button(http: httpx.AsyncClient, fleet: Fleet) -> None:
    answer = await http.post("/bmcs/2/power", json={"state": "off"})
    assert answer.json()["bmcs"][0]["power"] == "off"
    assert (fleet[2].power, fleet[2].executed_count()) == (PowerState.OFF, 0)


async def test_a_bmc_is_restarted(http: httpx.AsyncClient, fleet: Fleet) -> None:
    assert (await http.post("/bmcs/0/restart", json={"down_seconds": 2})).status_code == 200
    assert (await http.post("/bmcs/0/restart")).status_code == 200


async def test_datagrams_are_shown(http: httpx.AsyncClient, fleet: Fleet) -> None:
    assert (await http.get("/bmcs/0/datagrams")).json() == {"datagrams": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/bmcs/7", None, 404),
        ("GET", "/bmcs/127.9.9.9", None, 404),
        ("GET", "/bmcs/-1", None, 404),
        ("GET", "/bmcs/" + "9" * 300, None, 404),
        ("GET", "/bmcs/0/nonsense", None, 404),
        ("GET", "/bmcs/0/faults/silent", None, 404),
        ("PUT", "/bmcs/0/faults", {"silent": True}, 405),
        ("POST", "/bmcs", {}, 405),
        ("POST", "/bmcs/0/faults", {}, 400),
        ("POST", "/bmcs/0/faults", {"nonsense": True}, 400),
        ("POST", "/bmcs/0/faults", {"busy": "often"}, 400),
        ("POST", "/bmcs/0/faults", {"silent": True, "duration_seconds": "long"}, 400),
        ("DELETE", "/bmcs/0/faults", {"names": "silent"}, 400),
        ("DELETE", "/bmcs/0/faults", {"names": ["nonsense"]}, 400),
        ("DELETE", "/bmcs/0/faults", {"nonsense": 1}, 400),
        ("POST", "/bmcs/0/power", {"state": "unknown"}, 400),
        ("POST", "/bmcs/0/power", {"state": ["on"]}, 400),
        ("POST", "/bmcs/0/power", {}, 400),
        ("POST", "/bmcs/0/restart", {"down_seconds": -1}, 400),
        ("POST", "/bmcs/0/restart", {"down_seconds": True}, 400),
        ("POST", "/bmcs/0/faults", [1], 400),
        ("POST", "/bmcs/0/faults", {"silent": "x" * 20000}, 413),
    ],
)
async def test_wrong_input_is_answered_with_a_sentence(
    http: httpx.AsyncClient, fleet: Fleet, method: str, path: str, body: Any, status: int
) -> None:
    answer = await http.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"].endswith(".")
    assert len(answer.text) < 700
    assert all(bmc.faults.active() == {} for bmc in fleet)


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Host": ""}]
)
async def test_a_web_page_cannot_use_the_door(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await http.post("/bmcs/all/faults", json={"silent": True}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /bmcs HTTP/2\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET /bmcs HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET /bmcs HTTP/1.1\r\n", b"400"),
        (b"\xff\xfe\r\n\r\n", b"400"),
        (b"POST /bmcs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /bmcs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{", b"400"),
        (b"POST /bmcs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n[}", b"400"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"431"),
    ],
)
async def test_broken_http_is_answered_and_the_door_lives_on(
    door: ControlDoor, http: httpx.AsyncClient, request_bytes: bytes, status: bytes
) -> None:
    answer = await raw(door, request_bytes)
    assert answer.split(b" ")[1] == status
    assert (await http.get("/bmcs")).status_code == 200


@pytest.mark.parametrize(
    "text", ["", "9700", "0.0.0.0:9700", "10.0.0.1:9700", "localhost:9700", "127.0.0.1:70000"]
)
def test_the_door_opens_on_loopback_only(text: str) -> None:
    with pytest.raises(SimulatorError, match=r"\.$"):
        parse_control(text)


async def test_a_door_in_use_is_told(fleet: Fleet, door: ControlDoor) -> None:
    with pytest.raises(SimulatorError, match="Cannot listen"):
        async with open_door(fleet, door.address, door.port):
            pass
