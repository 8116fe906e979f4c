"""Asks the control door of a running fleet, for the command line."""

from __future__ import annotations

import http.client
import json
from typing import Any

from apps.simulator.errors import SimulatorError


def ask_door(
    control: tuple[str, int], method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the answer.

    :raises SimulatorError: nobody listens, or the door says no (with its sentence).
    """
    connection = http.client.HTTPConnection(*control, timeout=10)
    try:
        connection.request(
            method, path, json.dumps(body or {}), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        content = json.loads(response.read())
    except ConnectionRefusedError:
        raise SimulatorError(
            f"Nobody listens on {control[0]}:{control[1]}: start `simulate_bmcs run` first."
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SimulatorError(f"The control door gave no answer: {type(error).__name__}.") from error
    finally:
        connection.close()
    if not isinstance(content, dict):
        raise SimulatorError("The control door gave a strange answer.")
    if response.status != http.client.OK:
        raise SimulatorError(str(content.get("error", "The control door said no.")))
    return content
