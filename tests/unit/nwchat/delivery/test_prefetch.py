from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from nwchat.delivery.prefetch import Prefetcher

SECONDS = 60.0


def read_all(prefetcher: Prefetcher[int]) -> list[int]:
    """All that it gives."""
    found: list[int] = []
    until = time.monotonic() + SECONDS
    while (page := prefetcher.next()) is not None:
        found += page
        if not page:
            time.sleep(0.001)
        assert time.monotonic() < until
    return found


def readers_left() -> int:
    return sum(thread.name == "read-ahead" for thread in threading.enumerate())


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def counting(start: int, pages: int, made: list[int] | None = None) -> Callable[[], Iterator[Sequence[int]]]:
    def read() -> Iterator[Sequence[int]]:
        for page in range(pages):
            if made is not None:
                made.append(page)
            yield [start + page * 10 + number for number in range(10)]

    return read


def test_all_that_all_of_them_read() -> None:
    prefetcher = Prefetcher([counting(start, 20) for start in (0, 1000, 2000)])
    found = read_all(prefetcher)
    assert sorted(found) == [start + number for start in (0, 1000, 2000) for number in range(200)]
    assert [each for each in found if each < 1000] == list(range(200)), "each in its order"
    eventually(lambda: readers_left() == 0)


def test_empty_pages_are_passed_over() -> None:
    assert read_all(Prefetcher([lambda: iter(([], [1], [], [], [2], []))])) == [1, 2]


def test_without_readers_it_is_at_its_end() -> None:
    assert Prefetcher[int]([]).next() is None


def test_no_more_is_read_than_may_wait() -> None:
    made: list[int] = []
    prefetcher = Prefetcher([counting(0, 100, made)], depth=3)
    eventually(lambda: len(made) >= 4)
    time.sleep(0.05)
    # Three wait, and one is held until there is room.
    assert len(made) == 4
    assert prefetcher.next() == list(range(10))
    eventually(lambda: len(made) == 5)
    prefetcher.close()
    eventually(lambda: readers_left() == 0)


def test_close_ends_blocked_readers() -> None:
    made: list[int] = []
    prefetcher = Prefetcher([counting(0, 100, made), counting(0, 100, made)], depth=1)
    eventually(lambda: len(made) >= 3)
    prefetcher.close()
    eventually(lambda: readers_left() == 0)
    assert len(made) < 10
    assert prefetcher.next() is None


def test_error_of_reader_is_raised_after_its_pages() -> None:
    def breaks() -> Iterator[Sequence[int]]:
        yield [1]
        raise OSError("table away")

    prefetcher = Prefetcher([breaks, counting(100, 5)])
    found: list[int] = []
    with pytest.raises(OSError, match="table away"):
        while (page := prefetcher.next()) is not None:
            found += page
    assert sorted(found) == [1, *range(100, 150)]


def test_a_reader_that_does_not_even_begin() -> None:
    def breaks() -> Iterator[Sequence[int]]:
        raise OSError("no table")

    prefetcher = Prefetcher([breaks])
    eventually(lambda: readers_left() == 0)
    with pytest.raises(OSError, match="no table"):
        prefetcher.next()


def test_it_never_waits() -> None:
    begun, held = threading.Event(), threading.Event()

    def read() -> Iterator[Sequence[int]]:
        begun.set()
        assert held.wait(SECONDS)
        yield [1]

    prefetcher = Prefetcher([read])
    assert begun.wait(SECONDS)
    assert prefetcher.next() == ()
    held.set()
    assert read_all(prefetcher) == [1]
