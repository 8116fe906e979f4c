"""The replay window (IPMI 2.0 §6.12.13)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.bmc.rmcp.window import AHEAD, BEHIND, ReplayWindow


def test_numbers_in_order_are_accepted_once() -> None:
    window = ReplayWindow()
    for number in range(1, 100):
        assert window.accept(number)
        assert not window.accept(number)


def test_numbers_out_of_order_are_accepted_inside_the_window() -> None:
    window = ReplayWindow()
    assert window.accept(100)
    assert window.accept(100 + AHEAD)
    assert window.accept(100 + AHEAD - BEHIND)
    assert not window.accept(100 + AHEAD - BEHIND - 1)
    assert not window.accept(100)


def test_numbers_too_far_ahead_do_not_move_the_window() -> None:
    window = ReplayWindow()
    assert window.accept(1)
    assert not window.accept(2 + AHEAD)
    assert window.accept(2)


def test_zero_is_never_a_number() -> None:
    assert not ReplayWindow().accept(0)


@given(st.lists(st.integers(min_value=0, max_value=60)))
def test_no_number_is_ever_accepted_twice(numbers: list[int]) -> None:
    window = ReplayWindow()
    accepted = [number for number in numbers if window.accept(number)]
    assert len(accepted) == len(set(accepted))
