"""Reads pages ahead in threads, while earlier ones are being sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """A `nwchat.delivery.request.Source` that reads from several readers, each in its own thread.

    At most `depth` pages of each reader are buffered, so memory stays bounded. `next` raises a reader's error
    after all readers have ended and all buffered pages have been returned.
    """

    def __init__(self, readers: Sequence[Callable[[], Iterator[Sequence[T]]]], depth: int = 2) -> None:
        self._condition = threading.Condition()
        self._pages: deque[Sequence[T]] = deque()
        self._max_pages = depth * max(len(readers), 1)
        self._running = len(readers)
        self._error: Exception | None = None
        self._closed = False
        for read in readers:
            threading.Thread(target=self._run_reader, args=(read,), name="read-ahead", daemon=True).start()

    def next(self) -> Sequence[T] | None:
        """The next page; empty when none is buffered, None at the end."""
        with self._condition:
            if self._pages:
                page = self._pages.popleft()
                self._condition.notify_all()
                return page
            if self._running:
                return ()
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """Stop the readers. Each ends after its current page."""
        with self._condition:
            self._closed = True
            self._pages.clear()
            self._condition.notify_all()

    def _run_reader(self, read: Callable[[], Iterator[Sequence[T]]]) -> None:
        try:
            for page in read():
                with self._condition:
                    while len(self._pages) >= self._max_pages and not self._closed:
                        self._condition.wait()
                    if self._closed:
                        return
                    if page:
                        self._pages.append(page)
        except Exception as error:
            with self._condition:
                self._error = self._error or error
        finally:
            with self._condition:
                self._running -= 1
