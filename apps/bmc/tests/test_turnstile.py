"""The fair gate."""

from __future__ import annotations

import asyncio

import pytest

from apps.bmc import BmcOverloaded
from apps.bmc.rmcp.turnstile import Hall, Rank, Turnstile


async def test_ranks_go_first_and_inside_a_rank_the_first_come() -> None:
    gate, order = Turnstile(Hall(100), 1), []

    async def go(name: str, rank: Rank) -> None:
        await gate.enter(rank, 5.0)
        order.append(name)
        gate.leave()

    assert gate.try_enter()
    names = [("n1", Rank.NEW), ("s", Rank.SUSPECT), ("n2", Rank.NEW), ("c", Rank.CONTINUING)]
    tasks = [asyncio.create_task(go(*pair)) for pair in [*names, ("i", Rank.INTERACTIVE)]]
    await asyncio.sleep(0)
    gate.leave()
    await asyncio.gather(*tasks)
    assert order == ["i", "c", "n1", "n2", "s"]
    assert repr(gate) == "<Turnstile [0 of 1]>"


async def test_a_forced_place_is_paid_back_before_the_next_may_enter() -> None:
    gate = Turnstile(Hall(100), 1)
    await gate.enter(Rank.NEW, 1.0)
    gate.force()
    waiting = asyncio.create_task(gate.enter(Rank.NEW, 5.0))
    await asyncio.sleep(0)
    gate.leave()
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.leave()
    await waiting
    assert gate.in_use == 1


async def test_a_place_given_to_somebody_cancelled_goes_to_the_next() -> None:
    gate = Turnstile(Hall(100), 1)
    assert gate.try_enter()
    first = asyncio.create_task(gate.enter(Rank.NEW, 5.0))
    second = asyncio.create_task(gate.enter(Rank.NEW, 5.0))
    await asyncio.sleep(0)
    gate.leave()
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert gate.in_use == 1


async def test_those_who_gave_up_do_not_stay_in_the_queue() -> None:
    hall = Hall(100)
    gate = Turnstile(hall, 1)
    assert gate.try_enter()
    for _ in range(3):
        with pytest.raises(BmcOverloaded):
            await gate.enter(Rank.NEW, 0.0)
    assert hall.waiting == 0
    assert not any(gate._queues or ())


async def test_a_closed_hall_sends_home_and_admits_nobody() -> None:
    hall = Hall(100)
    gate = Turnstile(hall, 1)
    assert gate.try_enter()
    waiting = asyncio.create_task(gate.enter(Rank.NEW, 5.0))
    await asyncio.sleep(0)
    hall.close()
    hall.close()
    with pytest.raises(BmcOverloaded):
        await waiting
    with pytest.raises(BmcOverloaded):
        await gate.enter(Rank.NEW, 5.0)
