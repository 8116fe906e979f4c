from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from apps.bmc.guard import RefusalStore
from apps.bmc.pool import SessionPool
from apps.bmc.rmcp.transport import Transport
from apps.bmc.tests.peer import LOOPBACK, Peer, quick_config

PoolFactory = Callable[..., SessionPool]
PeerFactory = Callable[..., Awaitable[Peer]]


@pytest.fixture
async def make_peer() -> AsyncIterator[PeerFactory]:
    peers: list[Peer] = []

    async def make(**options: object) -> Peer:
        peer = Peer(**options)  # type: ignore[arg-type]
        peers.append(await peer.__aenter__())
        return peer

    yield make
    for peer in peers:
        await peer.__aexit__(None, None, None)


@pytest.fixture
async def make_pool(make_peer: PeerFactory) -> AsyncIterator[PoolFactory]:
    """Pools with short times; they log out while their peers still listen."""
    pools: list[SessionPool] = []

    def make(
        refusals: RefusalStore | None = None,
        transport: type[Transport] = Transport,
        **config: object,
    ) -> SessionPool:
        pools.append(SessionPool(quick_config(**config), LOOPBACK, refusals, transport))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.aclose()
