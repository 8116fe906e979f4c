"""The network before one BMC: its socket, and what the faults do to datagrams."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from random import Random
from typing import Final

from apps.simulator.faults import Faults
from apps.simulator.state import BmcState, Outcome, Peer

READ_LIMIT: Final = 2048
DATAGRAMS_PER_TURN: Final = 32
"""A flood on one BMC must not starve the others; the rest is read in the next turn."""
REORDER_SECONDS: Final = 0.2
RMCP_HEADER: Final = 4

Handler = Callable[[bytes, Peer, float], Outcome]
Recorder = Callable[[float, str, Peer, str, int, str], None]


def truncated(datagram: bytes, random: Random) -> bytes:
    return datagram[: random.randrange(len(datagram))]


def garbled(datagram: bytes, random: Random) -> bytes:
    """Random bytes, random bytes behind a good RMCP header, or a few flipped bits."""
    way = random.randrange(3)
    if way == 0:
        return random.randbytes(random.randrange(1, 300))
    if way == 1:
        return datagram[:RMCP_HEADER] + random.randbytes(random.randrange(0, 120))
    changed = bytearray(datagram)
    for _ in range(random.randrange(1, 5)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


class Link:
    """Reads and writes one UDP socket. Call everything in the loop's thread."""

    def __init__(
        self, state: BmcState, sock: socket.socket, handle: Handler, record: Recorder
    ) -> None:
        self._state = state
        self._sock = sock
        self._handle = handle
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._held: tuple[bytes, Peer, str] | None = None
        self._down_until = 0.0
        self._is_open = True
        self._loop.add_reader(sock.fileno(), self._readable)

    def close(self) -> None:
        if self._is_open:
            self.detach().close()

    def detach(self) -> socket.socket:
        """Hand out the socket, open, and read it no more."""
        self._is_open = False
        self._loop.remove_reader(self._sock.fileno())
        return self._sock

    def go_down(self, seconds: float) -> None:
        """Be deaf and mute for so long, as a BMC that boots."""
        self._down_until = time.monotonic() + seconds

    # ------------------------------------------------------------ in

    def _readable(self) -> None:
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagram, peer = self._sock.recvfrom(READ_LIMIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue
            self._arrive(datagram, peer)

    def _arrive(self, datagram: bytes, peer: Peer) -> None:
        now = time.monotonic()
        self._state.counters.received += 1
        faults = self._state.faults.at(now)
        random = self._state.random
        fate = ""
        if faults.silent:
            fate = "silent"
        elif now < self._down_until:
            fate = "restarting"
        elif faults.request_loss and random.random() < faults.request_loss:
            fate = "request lost"
        if fate:
            self._drop(now, "in", peer, "?", len(datagram), fate)
            return
        copies = 2 if faults.duplicate and random.random() < faults.duplicate else 1
        for _ in range(copies):
            outcome = self._handle(datagram, peer, now)
            if outcome.fate:
                self._state.counters.dropped += 1
            self._record(now, "in", peer, outcome.kind, len(datagram), outcome.fate)
            if outcome.reply is not None:
                self._leave(outcome.reply, peer, outcome.reply_kind, now)

    def _drop(
        self, now: float, direction: str, peer: Peer, kind: str, length: int, fate: str
    ) -> None:
        self._state.counters.dropped += 1
        self._record(now, direction, peer, kind, length, fate)

    # ------------------------------------------------------------ out

    def _leave(self, reply: bytes, peer: Peer, kind: str, now: float) -> None:
        faults = self._state.faults.current
        random = self._state.random
        lost = faults.reply_loss and random.random() < faults.reply_loss
        if lost or now < self._state.replies_lost_until:
            self._drop(now, "out", peer, kind, len(reply), "reply lost")
            return
        delay = faults.latency_seconds + random.random() * faults.jitter_seconds
        if delay > 0:
            self._loop.call_later(delay, self._after_delay, reply, peer, kind)
        else:
            self._disturb(reply, peer, kind, faults)

    def _after_delay(self, reply: bytes, peer: Peer, kind: str) -> None:
        if self._is_open:
            self._disturb(reply, peer, kind, self._state.faults.current)

    def _disturb(self, reply: bytes, peer: Peer, kind: str, faults: Faults) -> None:
        random = self._state.random
        if faults.reorder and self._held is None and random.random() < faults.reorder:
            self._held = (reply, peer, kind)
            self._loop.call_later(REORDER_SECONDS, self._release)
            return
        fate = ""
        if faults.truncate and random.random() < faults.truncate:
            reply, fate = truncated(reply, random), "truncated"
        if faults.garbage and reply and random.random() < faults.garbage:
            reply, fate = garbled(reply, random), "garbage"
        copies = 2 if faults.duplicate and random.random() < faults.duplicate else 1
        for _ in range(copies):
            self._send(reply, peer, kind, fate)
            fate = fate or "duplicate"
        self._release()

    def _release(self) -> None:
        """Let the reply go that was held back for reordering."""
        if self._held is not None:
            reply, peer, kind = self._held
            self._held = None
            self._send(reply, peer, kind, "reordered")

    def _send(self, reply: bytes, peer: Peer, kind: str, fate: str) -> None:
        if not self._is_open:
            return
        try:
            self._sock.sendto(reply, peer)
        except OSError as error:
            self._drop(time.monotonic(), "out", peer, kind, len(reply), f"errno {error.errno}")
            return
        self._state.counters.sent += 1
        self._record(time.monotonic(), "out", peer, kind, len(reply), fate)
