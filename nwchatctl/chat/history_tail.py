"""Following the history: the last messages, and then each new one once, in the order of their ids.

Ids are made from the clocks of many function instances, and a message may be stored a while after its id was
made. So a message is held back for a short time after it was first seen, in which those with lesser ids
come in. What comes later than that is found by looking back now and then, and printed then, out of order.

A poll reads what follows the greatest id that was printed, and nothing in a quiet chat. What is remembered is
bounded by the time looked back over, not by how long one follows. Our own clock only bounds what a function's
clock that is ahead can do; where ours is wrong, polls read more, and miss nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nwchat.model.ids import first_ulid, is_ulid, ulid_time
from nwchat.model.wire import Message
from nwchatctl.chat.history_filter import MessageFilter

SETTLE_SECONDS = 2.0
"""How long a message is held back after it was first seen. Clocks of functions differ by milliseconds (Amazon
Time Sync), and a write that is throttled is repeated within a second or two."""

LOOK_BACK_MS = 60_000
"""How late a message may be stored, after one with a greater id was printed, to be found all the same. A
function that stores one has ended by then, its retries included (functions.timeout_seconds is 29 at most)."""

POLL_SECONDS = 1.0

LOOK_BACK_EVERY = 10
"""Of so many polls, one looks back."""

LONGEST_WAIT = 30.0
"""Seconds that polls of an outage are apart, on top of POLL_SECONDS; drawn below a bound that doubles."""

_PAGE, _LOOK_BACK_PAGE = 200, 1000
"""Rows of a poll, and of one that looks back."""

_MAX_PENDING = 2000
"""So that catching up with a day's messages needs no more memory than with a minute's."""

_BEGINNING = first_ulid(0)


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages, oldest first, and the id after which there may be more; None at the end."""

    messages: tuple[Message, ...] = ()
    next: str | None = None


class Tail:
    """`read(after, limit)` reads what follows an id, consistently; `last(limit, wanted)` gives the newest.

    `clock_ms` is epoch ms, `monotonic` and `settle` are seconds.
    """

    def __init__(
        self,
        read: Callable[[str, int], MessagePage],
        last: Callable[[int, MessageFilter], list[Message]],
        clock_ms: Callable[[], int],
        monotonic: Callable[[], float],
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._read = read
        self._last = last
        self._clock_ms = clock_ms
        self._monotonic = monotonic
        self._settle = settle
        self._beginning = self._cursor = _BEGINNING
        self._polls_since_look_back = 0
        self._pending: dict[str, tuple[Message, float]] = {}
        self._shown: set[str] = set()

    def begin_after(self, after: str | None) -> None:
        """Everything that follows the id `after` is new to `poll`; None: everything."""
        self._beginning = self._cursor = after or _BEGINNING

    def begin(self, limit: int, wanted: MessageFilter) -> list[Message]:
        """The newest `limit` of those wanted, oldest first, but for the youngest, which `poll` gives once
        they have settled; what comes later is new to `poll`. Safe to repeat when it failed."""
        settled_ms = self._settled_ms()
        for newest in self._last(1, MessageFilter()):
            self._cursor = first_ulid(min(_created_ms(newest.id), settled_ms))
            # The window first: what comes between the two reads is then in the second, or new.
            self._shown = {each.id for each in self._window()}
        shown: list[Message] = []
        for each in self._last(limit, wanted) if limit else ():
            if _created_ms(each.id) > settled_ms:
                self._shown.discard(each.id)
            else:
                self._shown.add(each.id)
                shown.append(each)
        return shown

    def _window(self) -> Iterator[Message]:
        after: str | None = self._floor()
        while after is not None:
            found = self._read(after, _LOOK_BACK_PAGE)
            yield from found.messages
            after = found.next

    def poll(self) -> Iterator[Message]:
        """What is new and has settled. A failure is that of `read`; polled again, nothing is lost or given
        twice."""
        before, looks_back = self._polls_since_look_back, self._polls_since_look_back >= LOOK_BACK_EVERY
        # Left so by a poll that fails: the one after an outage looks back.
        self._polls_since_look_back = LOOK_BACK_EVERY
        after: str | None = self._floor() if looks_back else self._cursor
        while after is not None:
            found = self._read(after, _LOOK_BACK_PAGE if looks_back else _PAGE)
            self._add_pending(found.messages)
            after = found.next
            if len(self._pending) > _MAX_PENDING:
                yield from self._release(sorted(self._pending)[:-_MAX_PENDING])
        yield from self._release(self._settled_ids())
        self._polls_since_look_back = 0 if looks_back else before + 1

    def _add_pending(self, messages: tuple[Message, ...]) -> None:
        now, old_ms = self._monotonic(), self._clock_ms() - LOOK_BACK_MS
        for each in messages:
            if each.id not in self._shown and each.id not in self._pending:
                seen = now - self._settle if _created_ms(each.id) <= old_ms else now
                self._pending[each.id] = (each, seen)

    def _settled_ids(self) -> list[str]:
        """The ids held long enough, and those before them, in order."""
        limit = self._monotonic() - self._settle
        newest = max((key for key, (_, seen) in self._pending.items() if seen <= limit), default="")
        return sorted(key for key in self._pending if key <= newest)

    def _release(self, keys: list[str]) -> Iterator[Message]:
        for key in keys:
            message, _ = self._pending.pop(key)
            self._shown.add(key)
            # A message from a clock that is ahead must not close the way to the others.
            self._cursor = max(self._cursor, min(key, first_ulid(self._settled_ms())))
            yield message
        if keys:
            floor = self._floor()
            self._shown = {each for each in self._shown if each > floor}

    def _settled_ms(self) -> int:
        """Epoch ms before which nothing is expected to come any more."""
        return max(self._clock_ms() - round(self._settle * 1000), 0)

    def _floor(self) -> str:
        return max(first_ulid(max(_created_ms(self._cursor) - LOOK_BACK_MS, 0)), self._beginning)


def _created_ms(key: str) -> int:
    """When an id was made, epoch ms; 0 for one that no function made."""
    return ulid_time(key) if is_ulid(key) else 0


@dataclass(frozen=True, slots=True)
class OutageHandling:
    """How outages are borne: `is_transient` says whether a failure is one. `on_lost` is told of its first failure,
    `on_recovered` of its end. `sleep` takes seconds, `jitter` gives [0, 1)."""

    is_transient: Callable[[Exception], bool]
    on_lost: Callable[[Exception], None]
    on_recovered: Callable[[], None]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]


def follow(tail: Tail, begin: Callable[[], list[Message]], outages: OutageHandling) -> Iterator[Message]:
    """What `begin` gives and then, for ever, what is new; asks at most once in POLL_SECONDS.

    Failures that pass are outlived, however long they last; others are raised.
    """
    failures = 0
    step: Callable[[], Iterable[Message]] = begin
    while True:
        try:
            yield from step()
        except Exception as error:
            if not outages.is_transient(error):
                raise
            failures += 1
            if failures == 1:
                outages.on_lost(error)
        else:
            if failures:
                outages.on_recovered()
            failures, step = 0, tail.poll
        bound = min(2.0 ** (failures - 1), LONGEST_WAIT) if failures else 0.0
        outages.sleep(POLL_SECONDS + outages.jitter() * bound)
