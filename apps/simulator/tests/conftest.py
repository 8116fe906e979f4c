from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from apps.simulator.bmc import SimulatedBmc
from apps.simulator.fleet import Fleet
from apps.simulator.profiles import PROFILES
from apps.simulator.tests.scripted import ScriptedClient, logged_in, scripted


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with Fleet.start(count=3, network="127.11.0.0/16") as fleet:
        yield fleet


@pytest.fixture
async def bmc() -> AsyncIterator[SimulatedBmc]:
    profiles = [PROFILES["dell-idrac9"]]
    async with Fleet.start(network="127.12.0.0/16", profiles=profiles) as fleet:
        yield fleet[0]


@pytest.fixture
async def client(bmc: SimulatedBmc) -> AsyncIterator[ScriptedClient]:
    """Not logged in."""
    async with scripted(bmc) as client:
        yield client


@pytest.fixture
async def session(bmc: SimulatedBmc) -> AsyncIterator[ScriptedClient]:
    """Logged in as administrator with suite 17."""
    async with logged_in(bmc) as client:
        yield client
