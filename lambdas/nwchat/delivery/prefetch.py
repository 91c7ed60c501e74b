"""Pages read ahead, in threads, while what came before is being sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """A `nwchat.delivery.scheduler.Source` of what several readers give, each in a thread of its own.

    At most `depth` pages of each wait to be taken, so that memory does not grow with what is read. What a
    reader raises is raised by `next`, once the others are at their ends and all has been taken.
    """

    def __init__(self, readers: Sequence[Callable[[], Iterator[Sequence[T]]]], depth: int = 2) -> None:
        self._room = threading.Condition()
        self._pages: deque[Sequence[T]] = deque()
        self._most = depth * max(len(readers), 1)
        self._running = len(readers)
        self._error: Exception | None = None
        self._closed = False
        for read in readers:
            threading.Thread(target=self._read, args=(read,), name="read-ahead", daemon=True).start()

    def next(self) -> Sequence[T] | None:
        with self._room:
            if self._pages:
                page = self._pages.popleft()
                self._room.notify_all()
                return page
            if self._running:
                return ()
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """Lets the readers go, which end with the page that they are at."""
        with self._room:
            self._closed = True
            self._pages.clear()
            self._room.notify_all()

    def _read(self, read: Callable[[], Iterator[Sequence[T]]]) -> None:
        try:
            for page in read():
                with self._room:
                    while len(self._pages) >= self._most and not self._closed:
                        self._room.wait()
                    if self._closed:
                        return
                    if page:
                        self._pages.append(page)
        except Exception as error:
            with self._room:
                self._error = self._error or error
        finally:
            with self._room:
                self._running -= 1
