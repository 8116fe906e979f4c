"""Make the keys of an installation in a folder, once. Standard library only.

usage: local_keys.py FOLDER
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path


def write_once(path: Path, text: str) -> None:
    """Write with mode 0600; an existing key is never replaced."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(text)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_once(folder / "secret_key", secrets.token_urlsafe(64))
    write_once(folder / "credential_keys", "local:" + base64.b64encode(os.urandom(32)).decode())


if __name__ == "__main__":
    main()
