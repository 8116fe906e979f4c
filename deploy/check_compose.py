"""Check docker-compose.yml and the Dockerfile without a Docker engine.

What can be known without one: the YAML reads, every service says what it runs, every process that
the compose file starts exists in this project, and the Dockerfile copies only what is here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
VARIABLE: Final = re.compile(r"\$\{([A-Z_]+)(?::[-?][^}]*)?\}")


def main() -> int:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    compose: dict[str, Any] = yaml.safe_load(text)
    faults = [
        *_service_faults(compose["services"]),
        *_variable_faults(text),
        *_dockerfile_faults(),
        *_engine_faults(),
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _service_faults(services: dict[str, Any]) -> list[str]:
    faults = []
    for name, service in services.items():
        if "image" not in service:
            faults.append(f"{name}: no image")
        for other in service.get("depends_on", {}):
            if other not in services:
                faults.append(f"{name}: depends on {other}, which is not there")
        command = service.get("command", [])
        if service.get("image") == "bmc-portal" and not command:
            faults.append(f"{name}: no command")
        if command[:1] == ["celery"] and "worker" in command and "--pool=threads" not in command:
            faults.append(f"{name}: bmc workers run with --pool=threads only")
    return faults


def _variable_faults(text: str) -> list[str]:
    """Every variable is explained in .env.example, or belongs to compose itself."""
    known = (ROOT / ".env.example").read_text(encoding="utf-8")
    own = {"POSTGRES_PASSWORD", "BIND", "PORT"}
    names = set(VARIABLE.findall(text)) - own
    return [f"{name} is not in .env.example" for name in sorted(names) if f"{name}=" not in known]


def _dockerfile_faults() -> list[str]:
    faults = []
    for line in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--"):
            faults += [f"COPY {w}: not here" for w in words[1:-1] if not (ROOT / w).exists()]
    return faults


def _engine_faults() -> list[str]:
    """Let `docker compose config` read the file too, where the client is installed."""
    docker = shutil.which("docker")
    plugin = docker and subprocess.run([docker, "compose", "version"], capture_output=True)
    if not docker or plugin is None or isinstance(plugin, str) or plugin.returncode:
        return []
    env = {"SECRET_KEY": "x", "CREDENTIAL_KEYS": "x", "POSTGRES_PASSWORD": "x"}
    command = [docker, "compose", "-f", str(ROOT / "docker-compose.yml"), "config", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    return [done.stderr.strip()] if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
