"""Following: every message once, whatever order clocks and writes put them in."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from nwchat.keys import ulid
from nwchat.wire import Message, Page
from nwchatctl.chat.tailing import OVERLAP_MS, POLL_SECONDS, Tail, follow

NOW = 1_700_000_000_000


def message(ms: int, number: int = 0) -> Message:
    return Message(ulid(ms, number.to_bytes(10, "big")), f"m{ms}-{number}", "u", "1", ms)


class History:
    """A room in memory, paged as `nwchat.store` pages it."""

    def __init__(self, *messages: Message) -> None:
        self.messages = {each.id: each for each in messages}
        self.now = NOW
        self.reads = 0

    def add(self, *messages: Message) -> None:
        self.messages |= {each.id: each for each in messages}

    def page(self, limit: int, before: str | None, after: str | None) -> Page:
        self.reads += 1
        every = sorted(self.messages.values(), key=lambda each: each.id)
        if after is not None:
            return Page(tuple([each for each in every if each.id > after][:limit]))
        return Page(tuple([each for each in every if before is None or each.id < before][-limit:]))

    def tail(self) -> Tail:
        return Tail(self.page, lambda: self.now)


def test_the_last_ones_and_then_the_new_ones() -> None:
    history = History(*(message(NOW - 1000 + number) for number in range(20)))
    tail = history.tail()
    assert [each.date for each in tail.last(3)] == [NOW - 983, NOW - 982, NOW - 981]
    assert tail.poll() == []
    history.add(message(NOW + 5), message(NOW + 6))
    assert tail.poll() == [message(NOW + 5), message(NOW + 6)]
    assert tail.poll() == []


def test_none_of_the_old_ones_when_none_are_asked_for() -> None:
    history = History(message(NOW - 10), message(NOW - 5))
    tail = history.tail()
    assert tail.last(0) == []
    history.add(message(NOW - 3))
    assert tail.poll() == [message(NOW - 3)]


def test_a_message_that_is_stored_late_is_not_missed() -> None:
    history = History(message(NOW))
    tail = history.tail()
    tail.last(50)
    history.add(message(NOW + 100))
    assert tail.poll() == [message(NOW + 100)]
    late = message(NOW + 50)
    history.add(late)
    assert tail.poll() == [late]


def test_a_clock_that_is_ahead_hides_nobody() -> None:
    history = History()
    tail = history.tail()
    tail.last(50)
    ahead = message(NOW + 3_600_000)
    history.add(ahead)
    assert tail.poll() == [ahead]
    history.add(message(NOW + 1))
    assert tail.poll() == [message(NOW + 1)]
    assert tail.poll() == []


def test_more_than_a_page_at_once() -> None:
    history = History()
    tail = history.tail()
    tail.last(50)
    burst = [message(NOW + 1, number) for number in range(450)]
    history.add(*burst)
    assert tail.poll() == burst


def test_what_is_remembered_does_not_grow() -> None:
    history = History()
    tail = history.tail()
    tail.last(50)
    for second in range(600):
        history.now = NOW + second * 1000
        history.add(message(history.now))
        assert len(tail.poll()) == 1
    assert len(tail._seen) <= OVERLAP_MS / 1000 + 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, OVERLAP_MS - 1), st.integers(0, 5)), max_size=6), max_size=8)
)
def test_each_message_once_whatever_the_order(batches: list[list[tuple[int, int]]]) -> None:
    """Ids anywhere within the overlap, stored in any order across polls."""
    history = History()
    tail = history.tail()
    tail.last(10)
    shown: list[str] = []
    for batch in batches:
        history.add(*(message(NOW - ms, number) for ms, number in batch))
        shown += [each.id for each in tail.poll()]
    assert sorted(shown) == sorted(history.messages)


def test_one_small_query_a_second() -> None:
    history = History(message(NOW))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        history.add(message(NOW + len(waited)))

    stream: Iterator[Message] = follow(history.tail(), 50, sleep)
    assert [next(stream).date for _ in range(5)] == [NOW, NOW + 1, NOW + 2, NOW + 3, NOW + 4]
    assert waited == [POLL_SECONDS] * 4
    assert history.reads == 2 + 4
