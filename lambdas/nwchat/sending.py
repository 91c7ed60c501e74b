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
        began, given = self.clock(), 0
        for page in pages:
            for at in range(0, len(page), _SLICE):
                ahead = given / rate - (self.clock() - began)
                if ahead > 0:
                    self.sleep(ahead)
                part = tuple(page[at : at + _SLICE])
                given += len(part)
                yield part


class Feed:
    """Hands pages out in slices until `deadline` (`clock` seconds), and knows where it stopped."""

    def __init__(
        self,
        pages: Iterable[Sequence[Connection]],
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pages = pages
        self._deadline = deadline
        self._clock = clock
        self.last: str | None = None
        """The connection that was handed out last: a scan goes on after it."""
        self.ended = False
        """Whether everything was handed out."""

    def __iter__(self) -> Iterator[tuple[Connection, ...]]:
        for page in self._pages:
            for at in range(0, len(page), _SLICE):
                if self._clock() >= self._deadline:
                    return
                part = tuple(page[at : at + _SLICE])
                self.last = part[-1].connection_id
                yield part
        self.ended = True
