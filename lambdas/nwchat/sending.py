"""One frame to pages of connections at a rate: what the functions and the tool ask of whatever posts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nwchat.outcome import Outcome
from nwchat.rows import Connection
from nwchat.spreading import Counts, fan_out

Post: TypeAlias = Callable[[str, bytes, float], Outcome]
"""Takes a connection id, a frame and a deadline in monotonic seconds."""

_SLICE = 50
"""Connections that are handed out at once; what has been handed out is posted to before a deadline."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Posts with `workers` threads."""

    post: Post
    workers: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def send(
        self,
        data: bytes,
        pages: Iterable[Sequence[Connection]],
        forget: Callable[[Connection], bool],
        *,
        rate: float,
        deadline: float,
        skip: frozenset[str] = frozenset(),
        progress: Callable[[Counts], None] | None = None,
    ) -> Counts:
        """As `spreading.fan_out`, at most `rate` posts a second; no post begins at `deadline` or later."""
        return fan_out(
            self._paced(pages, rate),
            lambda connection_id: self.post(connection_id, data, deadline),
            forget,
            workers=self.workers,
            skip=skip,
            deadline=deadline,
            clock=self.clock,
            progress=progress,
        )

    def _paced(self, pages: Iterable[Sequence[Connection]], rate: float) -> Iterator[tuple[Connection, ...]]:
        began, given, parts = self.clock(), 0, sliced(pages, rate)
        while True:
            # Before the next part is asked for: who gives them out may have come to its end meanwhile.
            ahead = given / rate - (self.clock() - began)
            if ahead > 0:
                self.sleep(ahead)
            part = next(parts, None)
            if part is None:
                return
            given += len(part)
            yield part


def sliced(pages: Iterable[Sequence[Connection]], rate: float) -> Iterator[tuple[Connection, ...]]:
    """The pages in parts of at most a second's worth of posts."""
    size = max(1, min(_SLICE, int(rate)))
    for page in pages:
        for at in range(0, len(page), size):
            yield tuple(page[at : at + size])


class Feed:
    """Hands pages out in parts until `deadline` (`clock` seconds), and knows where it stopped."""

    def __init__(
        self,
        pages: Iterable[Sequence[Connection]],
        rate: float,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = sliced(pages, rate)
        self._deadline = deadline
        self._clock = clock
        self.last: str | None = None
        """The connection that was handed out last: a scan goes on after it."""
        self.ended = False
        """Whether everything was handed out."""

    def __iter__(self) -> Iterator[tuple[Connection, ...]]:
        for part in self._parts:
            if self._clock() >= self._deadline:
                return
            self.last = part[-1].connection_id
            yield part
        self.ended = True
