"""Is there a BMC, and what does it offer? One question without a login (IPMI 2.0 §22.13)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Final

from apps.bmc.policy import DestinationPolicy
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.transport import Target, Transport, canonical_address
from apps.bmc.rmcp.wire import (
    WireError,
    build_request,
    build_sessionless,
    parse_envelope,
    parse_message,
)
from apps.bmc.values import Endpoint, Privilege

NETFN_APP: Final = 0x06
GET_CHANNEL_AUTH_CAPABILITIES: Final = 0x38

_THIS_CHANNEL_EXTENDED: Final = 0x8E  # "the channel this came in by", with the IPMI 2.0 answer
_HAS_EXTENDED: Final = 0x80
_KG_IS_SET: Final = 0x20
_NULL_USERS: Final = 0x03  # null user names, or anonymous login
_IPMI_2_0: Final = 0x02


@dataclass(frozen=True, slots=True)
class Presence:
    """What a BMC tells strangers about itself."""

    endpoint: Endpoint
    is_rmcp_plus: bool
    """False: IPMI 1.5 only, which the portal refuses (B6)."""
    allows_null_user: bool
    kg_is_set: bool
    round_trip_seconds: float


def decode_capabilities(data: bytes) -> tuple[bool, bool, bool] | None:
    """(RMCP+, null user, BMC key set), or None where the answer is too short."""
    if len(data) < 4:
        return None
    extended = bool(data[1] & _HAS_EXTENDED)
    return (
        extended and bool(data[3] & _IPMI_2_0),
        bool(data[2] & _NULL_USERS),
        extended and bool(data[2] & _KG_IS_SET),
    )


class _Question:
    """One address that was asked."""

    def __init__(self, endpoint: Endpoint, rq_seq: int) -> None:
        self.endpoint = endpoint
        self.answer: asyncio.Future[Presence] = asyncio.get_running_loop().create_future()
        self.sent_at = inf
        data = bytes((_THIS_CHANNEL_EXTENDED, Privilege.ADMINISTRATOR))
        message = build_request(NETFN_APP, GET_CHANNEL_AUTH_CAPABILITIES, data, rq_seq)
        self.datagram_out = build_sessionless(message)
        self._rq_seq = rq_seq

    def datagram(self, data: bytes) -> bool:
        try:
            envelope = parse_envelope(data)
            message = parse_message(envelope.payload)
        except WireError:
            return False
        mine = (NETFN_APP | 1, GET_CHANNEL_AUTH_CAPABILITIES, self._rq_seq, 0)
        if envelope.flags or envelope.session_id or message[:4] != mine:
            return False
        found = decode_capabilities(message.data)
        if found is not None and not self.answer.done():
            self.answer.set_result(Presence(self.endpoint, *found, monotonic() - self.sent_at))
        return found is not None


class Prober:
    """Asks many addresses through few sockets; the caller paces (about 2,000 a second)."""

    def __init__(self, policy: DestinationPolicy) -> None:
        self.counters = Counters()
        self._policy = policy
        self._transport = Transport(policy, self.counters)
        self._rq_seq = 0

    async def probe(
        self, endpoint: Endpoint, *, wait_seconds: float = 1.0, rounds: int = 2
    ) -> Presence | None:
        """Ask up to `rounds` times, waiting `wait_seconds` each; None: nobody answered.

        :raises BmcForbiddenAddress: nothing was sent.
        """
        self._policy.check(endpoint.address)
        target = (canonical_address(endpoint.address), endpoint.port)
        self._rq_seq = (self._rq_seq + 1) & 0x3F
        question = _Question(endpoint, self._rq_seq)
        self._transport.attach(target, question)
        try:
            for _ in range(rounds):
                answer = await self._ask(question, target, wait_seconds)
                if answer is not None:
                    return answer
            return None
        finally:
            self._transport.detach(target, question)

    async def _ask(
        self, question: _Question, target: Target, wait_seconds: float
    ) -> Presence | None:
        question.sent_at = monotonic()
        try:
            self._transport.send(target, question.datagram_out)
        except OSError:
            return None  # no route: as silent as an empty address
        try:
            return await asyncio.wait_for(asyncio.shield(question.answer), wait_seconds)
        except TimeoutError:
            return None

    def close(self) -> None:
        self._transport.close()
