"""Follows the history: the last messages, and then each new one once, in the order of ids.

Ids are made from the clocks of many function instances, and a message may be stored some time after its id
was made. So a message is delayed for a short time after it was first read, in which messages with smaller ids
can arrive. Later ones are found by looking back at intervals, and printed then, out of order.

A poll reads what follows the greatest printed id, and nothing in a quiet chat. The memory is bounded by the
time to look back, not by the duration of following. The local clock only limits the effect of a function's
clock that is ahead; if the local clock is wrong, polls read more, and miss nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nwchat.model.ids import LATEST_STORE_MS, first_ulid, is_ulid, ulid_time
from nwchat.model.wire import Message
from nwchatctl.chat.history_filter import MessageFilter

SETTLE_SECONDS = 2.0
"""How long a message is delayed after it was first read. Clocks of functions differ by milliseconds (Amazon
Time Sync), and a throttled write is retried within a second or two."""

LOOK_BACK_MS = LATEST_STORE_MS
"""How long after its id was made a message may be stored, and still be found."""

POLL_SECONDS = 1.0

LOOK_BACK_EVERY = 10
"""One poll of so many looks back."""

LONGEST_WAIT = 30.0
"""The maximum of additional seconds between polls in an outage; random below a limit that doubles."""

_PAGE, _LOOK_BACK_PAGE = 200, 1000
"""Rows per page of a poll, and of one that looks back."""

_MAX_PENDING = 2000
"""The limit of pending messages, so that a day's backlog needs no more memory than a minute's."""

_BEGINNING = first_ulid(0)


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages, oldest first, and the id after which there may be more; None at the end."""

    messages: tuple[Message, ...] = ()
    next: str | None = None


class Tail:
    """Follows the history. `read(after, limit)` reads what follows an id, consistently; `last(limit, wanted)`
    returns the newest.

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
        self._beginning = self._cursor = self._looked_back = _BEGINNING
        self._polls_since_look_back = 0
        self._pending: dict[str, tuple[Message, float]] = {}
        self._shown: set[str] = set()

    def begin_after(self, after: str | None) -> None:
        """`poll` will return everything after the id `after`; None: everything."""
        self._beginning = self._cursor = after or _BEGINNING
        # The first poll reads all that there is.
        self._looked_back = first_ulid(self._settled_ms())

    def begin(self, limit: int, wanted: MessageFilter) -> list[Message]:
        """The newest `limit` messages that match, oldest first, without the most recent ones: `poll` returns
        these once they have settled, and everything later. Safe to repeat after a failure."""
        settled_ms = self._settled_ms()
        for newest in self._last(1, MessageFilter()):
            self._cursor = self._looked_back = first_ulid(min(_created_ms(newest.id), settled_ms))
            # The window first: messages stored between the two reads are then in the second, or new.
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
        """New messages that have settled. Raises the errors of `read`; a repeated poll loses and repeats
        nothing."""
        before, looks_back = self._polls_since_look_back, self._polls_since_look_back >= LOOK_BACK_EVERY
        # It stays so after a failure: the poll after an outage looks back.
        self._polls_since_look_back = LOOK_BACK_EVERY
        cursor = self._cursor
        after: str | None = self._floor() if looks_back else cursor
        while after is not None:
            found = self._read(after, _LOOK_BACK_PAGE if looks_back else _PAGE)
            self._add_pending(found.messages)
            after = found.next
            if len(self._pending) > _MAX_PENDING:
                yield from self._release(sorted(self._pending)[:-_MAX_PENDING])
        if looks_back:
            self._looked_back = cursor
        yield from self._release(self._settled_ids())
        self._polls_since_look_back = 0 if looks_back else before + 1

    def _add_pending(self, messages: tuple[Message, ...]) -> None:
        now, old_ms = self._monotonic(), self._clock_ms() - LOOK_BACK_MS
        for each in messages:
            if each.id not in self._shown and each.id not in self._pending:
                seen = now - self._settle if _created_ms(each.id) <= old_ms else now
                self._pending[each.id] = (each, seen)

    def _settled_ids(self) -> list[str]:
        """The ids that have been pending long enough, and smaller ones, in order."""
        limit = self._monotonic() - self._settle
        newest = max((key for key, (_, seen) in self._pending.items() if seen <= limit), default="")
        return sorted(key for key in self._pending if key <= newest)

    def _release(self, keys: list[str]) -> Iterator[Message]:
        for key in keys:
            message, _ = self._pending.pop(key)
            self._shown.add(key)
            # A message from a clock that is ahead must not hide later ones.
            self._cursor = max(self._cursor, min(key, first_ulid(self._settled_ms())))
            yield message
        if keys:
            floor = self._floor()
            self._shown = {each for each in self._shown if each > floor}

    def _settled_ms(self) -> int:
        """Epoch ms before which no more messages are expected."""
        return max(self._clock_ms() - round(self._settle * 1000), 0)

    def _floor(self) -> str:
        """Where to look back from. What was stored by the last time has been found then; what was stored
        since has an id that was made at most LOOK_BACK_MS before that time."""
        found_ms = _created_ms(min(self._looked_back, self._cursor))
        return max(first_ulid(max(found_ms - LOOK_BACK_MS, 0)), self._beginning)


def _created_ms(key: str) -> int:
    """When an id was made, epoch ms; 0 if no function made it."""
    return ulid_time(key) if is_ulid(key) else 0


@dataclass(frozen=True, slots=True)
class OutageHandling:
    """How outages are handled: `is_transient` says whether an error is one. `on_lost` receives its first
    error, `on_recovered` is called at its end. `sleep` takes seconds, `jitter` returns [0, 1)."""

    is_transient: Callable[[Exception], bool]
    on_lost: Callable[[Exception], None]
    on_recovered: Callable[[], None]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]


def follow(tail: Tail, begin: Callable[[], list[Message]], outages: OutageHandling) -> Iterator[Message]:
    """The messages of `begin` and then, for ever, new ones; polls at most once in POLL_SECONDS.

    Transient errors are retried for as long as they last; others are raised.
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
