"""What workers import: the session engine behind one door."""

from __future__ import annotations

from apps.bmc.guard import MemoryRefusals, RefusalStore
from apps.bmc.policy import DEFAULT_NETWORKS, DestinationPolicy, parse_address
from apps.bmc.pool import PoolConfig, SessionPool
from apps.bmc.rmcp.counters import Counters
from apps.bmc.rmcp.parts import Timing

__all__ = [
    "DEFAULT_NETWORKS",
    "Counters",
    "DestinationPolicy",
    "MemoryRefusals",
    "PoolConfig",
    "RefusalStore",
    "SessionPool",
    "Timing",
    "parse_address",
]
