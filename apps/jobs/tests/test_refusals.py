from __future__ import annotations

from time import monotonic

from apps.jobs.worker.refusals import Refusal, StoredRefusals

KEY = ("10.0.0.1", 623)


def make() -> tuple[StoredRefusals, list[Refusal]]:
    written: list[Refusal] = []
    refusals = StoredRefusals(written.append)
    refusals.load(KEY, bmc_id=7, key="", count=0, read_at=monotonic())
    return refusals, written


def test_each_refusal_is_counted_and_written() -> None:
    refusals, written = make()
    refusals.record(KEY, "a.1")
    refusals.record(KEY, "a.1")
    assert refusals.count(KEY, "a.1") == 2
    assert written == [Refusal(7, "a.1", 1), Refusal(7, "a.1", 2)]


def test_another_secret_starts_at_nothing() -> None:
    refusals, written = make()
    refusals.record(KEY, "a.1")
    assert refusals.count(KEY, "a.2") == 0
    refusals.record(KEY, "a.2")
    assert written[-1] == Refusal(7, "a.2", 1)


def test_forgiven_is_written_once() -> None:
    refusals, written = make()
    refusals.forget(KEY)
    assert written == []
    refusals.record(KEY, "a.1")
    refusals.forget(KEY)
    assert refusals.count(KEY, "a.1") == 0
    assert written[-1] == Refusal(7, "", 0)


def test_a_row_read_before_our_own_count_was_saved_does_not_undo_it() -> None:
    refusals, _ = make()
    read_at = monotonic()
    refusals.record(KEY, "a.1")
    refusals.load(KEY, bmc_id=7, key="", count=0, read_at=read_at)
    assert refusals.count(KEY, "a.1") == 1
    refusals.saved(Refusal(7, "a.1", 1))
    refusals.load(KEY, bmc_id=7, key="", count=0, read_at=read_at)
    assert refusals.count(KEY, "a.1") == 1
    refusals.load(KEY, bmc_id=7, key="", count=0, read_at=monotonic())  # a person forgave
    assert refusals.count(KEY, "a.1") == 0


def test_an_endpoint_without_a_row_is_counted_in_memory() -> None:
    written: list[Refusal] = []
    refusals = StoredRefusals(written.append)
    refusals.record(KEY, "a.1")
    assert (refusals.count(KEY, "a.1"), written) == (1, [])


def test_a_secret_that_is_only_tried_makes_nobody_forget_a_refusal() -> None:
    written: list[Refusal] = []
    refusals = StoredRefusals(written.append)
    refusals.load(KEY, bmc_id=7, key="own.1", count=2, read_at=monotonic(), own_key="own.1")
    refusals.record(KEY, "guest.1")
    refusals.record(KEY, "guest.1")
    assert (refusals.count(KEY, "own.1"), refusals.count(KEY, "guest.1")) == (2, 2)
    assert written == []
    refusals.load(KEY, bmc_id=7, key="", count=0, read_at=monotonic(), own_key="guest.1")
    assert refusals.count(KEY, "guest.1") == 0  # it was bound by somebody who may
