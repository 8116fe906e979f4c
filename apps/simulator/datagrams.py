"""The record of datagrams: a bounded list per BMC and, if wished, a file of JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, TextIO

MAX_FILE_BYTES: Final = 500_000_000
"""A forgotten demo does not fill the disk: the file ends there."""


class Datagram(NamedTuple):
    """`fate` is empty for a datagram that was handled or sent, else why it was dropped or what
    was done to it. `at` is `time.monotonic()`."""

    at: float
    direction: str
    """"in" or "out"."""
    peer: tuple[str, int]
    kind: str
    length: int
    fate: str


class DatagramFile:
    """Appends one JSON object a line: at, bmc, direction, peer, kind, bytes, fate."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._written = 0

    def __enter__(self) -> DatagramFile:
        self._file = self._path.open("a", buffering=1, encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def write(self, address: str, datagram: Datagram) -> None:
        if self._file is None or self._written > MAX_FILE_BYTES:
            return
        line = json.dumps(
            {
                "at": round(datagram.at, 6),
                "bmc": address,
                "direction": datagram.direction,
                "peer": f"{datagram.peer[0]}:{datagram.peer[1]}",
                "kind": datagram.kind,
                "bytes": datagram.length,
                "fate": datagram.fate,
            }
        )
        self._written += self._file.write(line + "\n")
