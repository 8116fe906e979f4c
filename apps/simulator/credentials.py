"""The password of a simulated fleet and the file that tells it to the demo."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from apps.simulator.errors import SimulatorError
from apps.simulator.fleet import Fleet, generate_password


def read_password(path: Path) -> str | None:
    """Return the password of an earlier run, or None if there is no file.

    :raises SimulatorError: there is a file and it is not ours.
    """
    try:
        password = json.loads(path.read_text(encoding="utf-8"))["password"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise SimulatorError(f"{path} is not a credentials file of the simulator.") from None
    except OSError as error:
        raise SimulatorError(f"Cannot read {path}: {error.strerror}.") from error
    return str(password)


def choose_password(credentials: Path | None, password_file: Path | None) -> str:
    """From the password file, else as in the last run, else a new one."""
    if password_file is not None:
        try:
            return password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SimulatorError(f"Cannot read {password_file}: {type(error).__name__}.") from error
    return (read_password(credentials) if credentials else None) or generate_password()


def _content(fleet: Fleet, control: str) -> dict[str, Any]:
    return {
        "username": fleet.username,
        "password": fleet.password,
        "port": fleet.port,
        "control": control,
        "bmcs": [
            {
                "index": bmc.index,
                "address": bmc.address,
                "port": bmc.port,
                "guid": bmc.guid,
                "profile": bmc.profile.name,
            }
            for bmc in fleet
        ],
    }


def write_credentials(path: Path, fleet: Fleet, control: str) -> None:
    """Write the file for its owner's eyes only (0600), whole or not at all.

    :raises SimulatorError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(_content(fleet, control), file, indent=1)
            file.write("\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SimulatorError(f"Cannot write {path}: {error.strerror}.") from error
