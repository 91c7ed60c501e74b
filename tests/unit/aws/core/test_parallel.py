"""Reads at once: under way together, nested without end, and dropped when something goes wrong."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from nwchatctl.aws.core.parallel import ParallelReads, run_inline


def test_started_reads_run_concurrently() -> None:
    together = threading.Barrier(3, timeout=60)
    with ParallelReads(3) as start:
        waiting = [start(together.wait) for _ in range(3)]
        assert sorted(each() for each in waiting) == [0, 1, 2]


@pytest.mark.parametrize("threads", [1, 2])
def test_nested_reads_do_not_deadlock(threads: int) -> None:
    with ParallelReads(threads) as start:

        def leaves(depth: int) -> int:
            if not depth:
                return 1
            return sum(each() for each in [start(leaves, depth - 1) for _ in range(3)])

        assert start(leaves, 4)() == 81


def test_result_is_read_once_and_cached() -> None:
    done: list[str] = []
    busy = threading.Event()
    with ParallelReads(1) as start:
        first = start(busy.wait, 60)
        queued = start(done.append, "queued")
        # The one thread is busy: who wants the result does it.
        queued()
        queued()
        assert done == ["queued"]
        busy.set()
        assert first() is True


def test_what_a_read_raised_is_raised_where_its_result_is_taken() -> None:
    with ParallelReads(2) as start:
        bad = start(int, "x")
        with pytest.raises(ValueError, match="'x'"):
            bad()


def test_interruption_starts_no_reads_and_waits_for_none() -> None:
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()
    later: list[str] = []

    def slow() -> None:
        begun.set()
        release.wait(60)
        ended.set()

    try:
        with pytest.raises(KeyboardInterrupt), ParallelReads(1) as start:
            start(slow)
            dropped = start(later.append, "begun")
            assert begun.wait(60)
            raise KeyboardInterrupt
        assert not release.is_set()
        with pytest.raises(CancelledError):
            dropped()
    finally:
        release.set()
    assert ended.wait(60)
    assert later == []


def test_run_inline_makes_each_call_where_it_is_started() -> None:
    done: list[str] = []
    late = run_inline(done.append, "a")
    done.append("b")
    late()
    assert done == ["a", "b"]
