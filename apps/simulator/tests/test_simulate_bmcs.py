from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.bmc.values import PowerState
from apps.simulator.credentials import choose_password, write_credentials
from apps.simulator.door import open_door
from apps.simulator.errors import SimulatorError
from apps.simulator.fleet import Fleet
from apps.simulator.run import profiles_by_name


async def ask(fleet: Fleet, *words: str) -> str:
    """Run the command as a client of the fleet's door."""
    out = StringIO()
    async with open_door(fleet) as door:
        control = f"--control={door.address}:{door.port}"
        await asyncio.to_thread(
            call_command, "simulate_bmcs", words[0], control, *words[1:], stdout=out
        )
    return out.getvalue()


async def test_the_list_shows_one_line_a_bmc(fleet: Fleet) -> None:
    lines = (await ask(fleet, "list")).splitlines()
    assert len(lines) == 3
    assert "127.11.0.2" in lines[1]
    assert len((await ask(fleet, "list", "2")).splitlines()) == 1


async def test_faults_are_switched_by_command(fleet: Fleet) -> None:
    await ask(fleet, "fault", "127.11.0.2", "silent", "on")
    await ask(fleet, "fault", "0", "reply_loss", "0.5", "--for", "60")
    await ask(fleet, "fault", "0", "busy", "-1")
    await ask(fleet, "fault", "2", "lie", "opposite")
    assert fleet[1].faults.active() == {"silent": True}
    assert fleet[0].faults.active() == {"reply_loss": 0.5, "busy": -1}
    assert fleet[2].faults.active() == {"lie": "opposite"}
    await ask(fleet, "fault", "0", "clear", "busy")
    assert fleet[0].faults.active() == {"reply_loss": 0.5}
    await ask(fleet, "fault", "all", "clear")
    assert all(bmc.faults.active() == {} for bmc in fleet)


async def test_power_and_restart_by_command(fleet: Fleet) -> None:
    assert " off " in await ask(fleet, "power", "1", "off")
    assert fleet[1].power is PowerState.OFF
    await ask(fleet, "restart", "1", "--down", "0.1")


@pytest.mark.parametrize(
    "words",
    [
        ("fault", "0", "nonsense", "on"),
        ("fault", "0", "busy", "often"),
        ("fault", "9", "silent", "on"),
        ("fault", "a b", "silent", "on"),
        ("restart", "0", "--down", "-1"),
        ("list", "../x"),
    ],
)
async def test_wrong_words_are_told_in_a_sentence(fleet: Fleet, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"\.$"):
        await ask(fleet, *words)
    assert all(bmc.faults.active() == {} for bmc in fleet)


def test_without_a_fleet_the_client_says_what_to_start() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        control = f"--control=127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(CommandError, match="simulate_bmcs run"):
            call_command("simulate_bmcs", "list", control)


@pytest.mark.parametrize(
    "words",
    [
        ["--network", "10.0.0.0/24"],
        ["--count", "0"],
        ["--port", "70000"],
        ["--control", "0.0.0.0:1"],
        ["--profile", "nonsense"],
        ["--lag", "-1"],
        ["--password-file", "/nonexistent"],
    ],
)
def test_a_fleet_with_wrong_options_does_not_start(words: list[str]) -> None:
    with pytest.raises(CommandError, match=r"\.$"):
        call_command("simulate_bmcs", "run", "--port=0", "--control=none", *words)


def test_profiles_are_chosen_by_name() -> None:
    chosen = profiles_by_name("hpe-ilo5, dell-idrac9")
    assert [profile.name for profile in chosen] == ["hpe-ilo5", "dell-idrac9"]


async def test_credentials_are_for_their_owner_and_keep_the_password(
    fleet: Fleet, tmp_path: Path
) -> None:
    path = tmp_path / "credentials.json"
    path.touch(mode=0o644)
    write_credentials(path, fleet, "127.0.0.1:9700")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["bmcs"][2]["guid"] == fleet[2].guid
    assert choose_password(path, None) == fleet.password
    assert list(tmp_path.iterdir()) == [path]


def test_a_password_comes_from_its_file_or_is_new(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("from the file\n")
    assert choose_password(None, path) == "from the file"
    assert choose_password(tmp_path / "none.json", None) != choose_password(None, None)
    with pytest.raises(SimulatorError, match="not a credentials file"):
        choose_password(path, None)


def test_run_serves_until_a_signal_and_starts_again_with_the_same_identity(
    tmp_path: Path,
) -> None:
    path = tmp_path / "credentials.json"
    words = ["--count=2", "--network=127.16.0.0/16", "--port=0", "--control=127.0.0.1:0"]
    contents = []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "manage.py", "simulate_bmcs", "run", *words]
            + [f"--credentials-file={path}", f"--log={tmp_path / 'log'}"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "bmcportal.settings_test"},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            lines = [process.stdout.readline() for _ in range(3)]
            contents.append(json.loads(path.read_text()))
            assert contents[-1]["password"] not in "".join(lines)
            assert contents[-1]["control"] in lines[2]
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
    assert contents[0]["password"] == contents[1]["password"]
    guids = [[bmc["guid"] for bmc in content["bmcs"]] for content in contents]
    assert guids[0] == guids[1]
