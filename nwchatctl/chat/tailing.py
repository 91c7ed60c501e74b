"""Following the history: the last messages, and then each new one once.

Ids are made from the clocks of many function instances, so a message may be stored a moment after one with
a greater id. Each poll therefore looks back over `OVERLAP_MS` and leaves out what was seen there; what is
remembered is bounded by that window, not by how long one follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nwchat.keys import first_ulid, is_ulid, ulid_time
from nwchat.wire import Message, Page

OVERLAP_MS = 10_000
"""How late a message may be stored: a function's clock drift and its retries of the write."""

POLL_SECONDS = 1.0

_PAGE = 200


class Tail:
    """Reads through `page(limit, before, after)`, a page of the history oldest first (`nwchat.store`)."""

    def __init__(
        self, page: Callable[[int, str | None, str | None], Page], clock_ms: Callable[[], int]
    ) -> None:
        self._page = page
        self._clock_ms = clock_ms
        self._seen: set[str] = set()
        self._newest_ms = 0

    def last(self, limit: int) -> list[Message]:
        """The newest `limit` messages, oldest first; what comes later is new to `poll`."""
        self._newest_ms = self._clock_ms()
        # The window first: what arrives between the two reads is then in the second, or new.
        for message in self._window():
            self._see(message)
        shown = list(self._page(limit, None, None).messages) if limit else []
        for message in shown:
            self._see(message)
        return shown

    def poll(self) -> list[Message]:
        """What was stored since the last call."""
        fresh = [each for each in self._window() if each.id not in self._seen]
        for message in fresh:
            self._see(message)
        floor = self._floor()
        self._seen = {each for each in self._seen if each >= floor}
        return fresh

    def _floor(self) -> str:
        return first_ulid(max(self._newest_ms - OVERLAP_MS, 0))

    def _window(self) -> Iterator[Message]:
        after: str | None = self._floor()
        while after is not None:
            page = self._page(_PAGE, None, after)
            yield from page.messages
            after = page.messages[-1].id if len(page.messages) == _PAGE else None

    def _see(self, message: Message) -> None:
        self._seen.add(message.id)
        if is_ulid(message.id):
            # A message from a clock that is ahead must not close the window on the others.
            self._newest_ms = max(self._newest_ms, min(ulid_time(message.id), self._clock_ms()))


def follow(tail: Tail, limit: int, sleep: Callable[[float], None]) -> Iterator[Message]:
    """The newest `limit` messages and then, for ever, the new ones; asks once in `POLL_SECONDS`."""
    yield from tail.last(limit)
    while True:
        sleep(POLL_SECONDS)
        yield from tail.poll()
