"""Few UDP sockets for many BMCs: one per address family, never blocking."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, Protocol

from apps.bmc.policy import DestinationPolicy
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.wire import MAX_DATAGRAM

Target = tuple[str, int]
"""Canonical address and port, as `recvfrom` spells them."""

RECEIVE_BUFFER_BYTES: Final = 4 << 20
DATAGRAM_COST_BYTES: Final = 2048
"""What the kernel charges the receive buffer for one small datagram, rounded up."""
DATAGRAMS_PER_TURN: Final = 256
"""After so many the loop gets to serve its timers and tasks; the rest stays in the kernel."""


class Listener(Protocol):
    """What is attached to a BMC's address."""

    def datagram(self, data: bytes) -> bool:
        """Take a datagram; False: it belongs to somebody else behind this address."""


def canonical_address(address: str) -> str:
    """The spelling the kernel uses for a sender, so that it can be looked up."""
    if ":" not in address:
        return address
    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))
    except OSError:
        return address  # not an address: the policy says so where it matters


class Transport:
    """Sends after asking the policy, and hands what comes in to the listeners of its sender.

    Works on asyncio's own loop and on uvloop. Use it from the loop's thread only.
    """

    def __init__(self, policy: DestinationPolicy, counters: Counters, window: int = 200) -> None:
        """:param window: datagrams that may be under way at one moment, if the kernel grants it."""
        self._policy = policy
        self._counters = counters
        self._window = window
        self._loop = asyncio.get_running_loop()
        self._v4: socket.socket | None = None
        self._v6: socket.socket | None = None
        self._routes: dict[Target, list[Listener]] = {}

    @property
    def window(self) -> int:
        """How many answers may be awaited at once without overrunning the receive buffer."""
        sock = self._v4 or self._v6 or self._open(socket.AF_INET)
        granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        return max(8, min(self._window, granted // DATAGRAM_COST_BYTES))

    def attach(self, target: Target, listener: Listener) -> None:
        self._routes.setdefault(target, []).append(listener)

    def detach(self, target: Target, listener: Listener) -> None:
        listeners = self._routes.get(target, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._routes.pop(target, None)

    def send(self, target: Target, datagram: bytes) -> None:
        """Send one datagram now.

        :raises BmcForbiddenAddress: the policy says no; nothing was sent.
        :raises OSError: the kernel refused it; nothing was sent.
        """
        self._policy.check(target[0])
        if ":" in target[0]:
            sock = self._v6 or self._open(socket.AF_INET6)
        else:
            sock = self._v4 or self._open(socket.AF_INET)
        try:
            sock.sendto(datagram, target)
        except OSError:
            self._counters.send_failures += 1
            raise
        self._counters.datagrams_sent += 1

    def close(self) -> None:
        for sock in (self._v4, self._v6):
            if sock is not None:
                self._loop.remove_reader(sock.fileno())
                sock.close()
        self._v4 = self._v6 = None
        self._routes.clear()

    def _open(self, family: socket.AddressFamily) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._v6 = sock
        else:
            self._v4 = sock
        self._loop.add_reader(sock.fileno(), self._drain, sock)
        return sock

    def _drain(self, sock: socket.socket) -> None:
        counters, routes, receive = self._counters, self._routes, sock.recvfrom
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                data, sender = receive(MAX_DATAGRAM + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                counters.drop("socket")
                continue
            counters.datagrams_received += 1
            listeners = routes.get(sender[:2])
            if listeners is None:
                counters.drop("stranger")
            elif len(data) > MAX_DATAGRAM:
                counters.drop("length")
            else:
                # A copy is needed only where a listener may leave while we walk.
                for listener in listeners if len(listeners) == 1 else tuple(listeners):
                    if listener.datagram(data):
                        break
                else:
                    counters.drop("session_id")
