"""Following: every message once, in the order of the ids, whatever order clocks and writes put them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.model.ids import ulid
from nwchat.model.wire import Message
from nwchatctl.chat.history_filter import MessageFilter
from nwchatctl.chat.history_tail import (
    LONGEST_WAIT,
    LOOK_BACK_EVERY,
    LOOK_BACK_MS,
    POLL_SECONDS,
    SETTLE_SECONDS,
    MessagePage,
    OutageHandling,
    Tail,
    follow,
)

NOW = 1_700_000_000_000
EVERYBODY = MessageFilter()
SETTLE_MS = round(SETTLE_SECONDS * 1000)


def message(ms: int, number: int = 0) -> Message:
    return Message(ulid(ms, number.to_bytes(10, "big")), f"m{ms}-{number}", "u", "1", ms)


class Denied(Exception):
    """What does not pass."""


class History:
    """A room in memory and its clock; `faults` are raised by reads, one each, and None lets one through."""

    def __init__(self, *messages: Message) -> None:
        self.messages = {each.id: each for each in messages}
        self.now = NOW
        self.reads: list[tuple[str, int, int]] = []
        self.faults: list[Exception | None] = []

    def add(self, *messages: Message) -> None:
        self.messages |= {each.id: each for each in messages}

    def read(self, after: str, limit: int) -> MessagePage:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        every = sorted((each for each in self.messages.values() if each.id > after), key=lambda each: each.id)
        page = tuple(every[:limit])
        self.reads.append((after, limit, len(page)))
        return MessagePage(page, page[-1].id if len(page) == limit else None)

    def last(self, limit: int, wanted: MessageFilter) -> list[Message]:
        every = sorted(self.messages.values(), key=lambda each: each.id)
        return [each for each in every if wanted(each)][-limit:]

    def tail(self) -> Tail:
        return Tail(self.read, self.last, lambda: self.now, lambda: self.now / 1000)

    def polls(self, tail: Tail, seconds: int = 3) -> list[Message]:
        """What comes within so many seconds, a poll each."""
        found: list[Message] = []
        for _ in range(seconds):
            self.now += 1000
            found += tail.poll()
        return found


def test_the_last_ones_and_then_the_new_ones() -> None:
    history = History(*(message(NOW - 9000 + number) for number in range(20)))
    tail = history.tail()
    assert [each.date for each in tail.begin(3, EVERYBODY)] == [NOW - 8983, NOW - 8982, NOW - 8981]
    assert history.polls(tail) == []
    new = message(history.now), message(history.now + 1)
    history.add(*new)
    assert history.polls(tail) == [*new]
    assert history.polls(tail, 30) == []


def test_none_of_the_old_ones_when_none_are_asked_for() -> None:
    history = History(message(NOW - 10), message(NOW - 5000))
    tail = history.tail()
    assert tail.begin(0, EVERYBODY) == []
    history.add(late := message(NOW - 3000))
    assert history.polls(tail, LOOK_BACK_EVERY + 4) == [late]


def test_newest_messages_wait_for_late_writes() -> None:
    old, young = message(NOW - 5000), message(NOW - 100)
    history = History(old, young)
    tail = history.tail()
    assert tail.begin(10, EVERYBODY) == [old]
    history.add(late := message(NOW - 200))
    assert history.polls(tail) == [late, young]


def test_everything_since_a_time() -> None:
    every = [message(NOW - 3_600_000 + 1000 * number) for number in range(3000)]
    history = History(*every)
    tail = history.tail()
    tail.begin_after(every[999].id)
    assert history.polls(tail, 1) == every[1000:]
    assert history.polls(tail, LOOK_BACK_EVERY + 4) == []


def test_last_messages_of_one_sender() -> None:
    mine = Message(ulid(NOW - 9000, bytes(10)), "mine", "me", "2", NOW - 9000)
    history = History(message(NOW - 9500), mine, *(message(NOW - 8000 + number) for number in range(20)))
    tail = history.tail()
    assert tail.begin(5, MessageFilter(user="me")) == [mine]
    assert history.polls(tail, 30) == []


def test_late_message_is_sorted_in() -> None:
    history = History()
    tail = history.tail()
    tail.begin(50, EVERYBODY)
    history.add(first := message(NOW + 100))
    assert history.polls(tail, 1) == []
    history.add(late := message(NOW + 50))
    assert history.polls(tail) == [late, first]


def test_very_late_message_is_printed_once_out_of_order() -> None:
    history = History(message(NOW - LOOK_BACK_MS))
    tail = history.tail()
    tail.begin(50, EVERYBODY)
    history.add(first := message(NOW + 100))
    assert history.polls(tail) == [first]
    history.add(late := message(NOW + 101 - LOOK_BACK_MS + 5000))
    assert history.polls(tail, LOOK_BACK_EVERY + 4) == [late]
    assert history.polls(tail, 3 * LOOK_BACK_EVERY) == []


@pytest.mark.parametrize("ahead_ms", [500, 30_000, 3_600_000])
def test_fast_sender_clock_hides_no_message(ahead_ms: int) -> None:
    history = History()
    tail = history.tail()
    tail.begin(50, EVERYBODY)
    ahead = message(NOW + ahead_ms, 1)
    history.add(ahead)
    assert history.polls(tail) == [ahead]
    for _ in range(20):
        history.add(one := message(history.now))
        assert history.polls(tail) == [one]
    assert history.polls(tail, 70) == []


@pytest.mark.parametrize("wrong_ms", [-3_600_000, -10_000, 10_000, 3_600_000])
def test_wrong_local_clock_hides_no_message(wrong_ms: int) -> None:
    before = message(NOW - 1)
    history = History(before)
    tail = Tail(history.read, history.last, lambda: history.now + wrong_ms, lambda: history.now / 1000)
    assert [*tail.begin(50, EVERYBODY), *history.polls(tail)] == [before]
    for _ in range(40):
        history.add(one := message(history.now))
        assert history.polls(tail) == [one]


def test_more_than_a_page_at_once() -> None:
    history = History()
    tail = history.tail()
    tail.begin(50, EVERYBODY)
    burst = [message(NOW + 1, number) for number in range(4500)]
    history.add(*burst)
    assert history.polls(tail) == burst
    assert history.polls(tail, 30) == []


def test_memory_does_not_grow() -> None:
    history = History(*(message(NOW - 20_000 + number) for number in range(20_000)))
    tail = history.tail()
    tail.begin_after(None)
    for count, _ in enumerate(tail.poll(), 1):
        assert len(tail._pending) <= 2000 + 1000
        assert len(tail._shown) <= LOOK_BACK_MS + 1000 or count < 20_000
    history.polls(tail, 2 * LOOK_BACK_EVERY)
    for _ in range(600):
        history.now += 1000
        history.add(message(history.now))
        list(tail.poll())
    assert len(tail._shown) <= LOOK_BACK_MS / 1000 + LOOK_BACK_EVERY
    assert len(tail._pending) <= SETTLE_SECONDS + 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, SETTLE_MS - 1), st.integers(0, 5)), max_size=6), max_size=30),
    st.lists(st.booleans(), max_size=60),
)
def test_in_order_whatever_the_order_of_writes(
    batches: list[list[tuple[int, int]]], faults: list[bool]
) -> None:
    """Each second some are stored, each within SETTLE_SECONDS after its id was made; some reads fail."""
    history = History()
    tail = history.tail()
    tail.begin(10, EVERYBODY)
    history.faults = [TimeoutError() if each else None for each in faults]
    shown: list[str] = []
    for batch in [*batches, *[[]] * 64]:
        history.now += 1000
        history.add(*(message(history.now - late_ms, number) for late_ms, number in batch))
        try:
            shown += [each.id for each in tail.poll()]
        except TimeoutError:
            continue
    assert shown == sorted(history.messages)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, LOOK_BACK_MS - 1), st.integers(0, 5)), max_size=6), max_size=30
    )
)
def test_each_once_however_late(batches: list[list[tuple[int, int]]]) -> None:
    history = History()
    tail = history.tail()
    tail.begin(10, EVERYBODY)
    shown: list[str] = []
    for batch in [*batches, *[[]] * (LOOK_BACK_EVERY + 4)]:
        history.now += 1000
        history.add(*(message(history.now - late_ms, number) for late_ms, number in batch))
        shown += [each.id for each in tail.poll()]
    assert sorted(shown) == sorted(history.messages)


@pytest.mark.parametrize("begin_after", [False, True])
@pytest.mark.parametrize("second", range(LOOK_BACK_EVERY + 1))
def test_a_message_that_is_stored_a_minute_late_in_a_busy_chat(second: int, begin_after: bool) -> None:
    """The newest messages that were printed are then some seconds newer than the last time it looked back."""
    history = History(message(NOW - LOOK_BACK_MS * 2))
    tail = history.tail()
    tail.begin_after(None) if begin_after else tail.begin(50, EVERYBODY)
    late, shown = message(0), []
    for number in range(4 * LOOK_BACK_EVERY):
        history.now += 1000
        history.add(message(history.now))
        if number == second + LOOK_BACK_EVERY:
            history.add(late := message(history.now - LOOK_BACK_MS + 1, 1))
        shown += list(tail.poll())
    assert shown.count(late) == 1
    assert len(shown) == len({each.id for each in shown})


# follow ---------------------------------------------------------------------------------------


@dataclass
class RecordingStatus:
    """What somebody at the terminal would see of the outages, and how long was waited."""

    history: History
    notices: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def outage_handling(self) -> OutageHandling:
        return OutageHandling(
            is_transient=lambda error: not isinstance(error, Denied),
            on_lost=lambda error: self.notices.append(f"lost: {error}"),
            on_recovered=lambda: self.notices.append("back"),
            sleep=self.sleep,
            jitter=lambda: 0.5,
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.history.now += round(seconds * 1000)
        self.history.add(message(self.history.now))


def following(history: History, status: RecordingStatus) -> Iterator[Message]:
    tail = history.tail()
    return follow(tail, lambda: tail.begin(50, EVERYBODY), status.outage_handling())


def test_one_small_query_a_second() -> None:
    history = History(message(NOW - LOOK_BACK_MS))
    status = RecordingStatus(history)
    stream = following(history, status)
    shown = [next(stream) for _ in range(40)]
    assert [each.date for each in shown] == [NOW - LOOK_BACK_MS, *range(NOW + 1000, NOW + 40_000, 1000)]
    assert status.waits == [POLL_SECONDS] * len(status.waits)
    begun, *polls = history.reads
    assert begun[1] == 1000
    assert len(polls) == len(status.waits)
    assert max(count for _, limit, count in polls if limit == 200) <= SETTLE_SECONDS + 2
    looks = [count for _, limit, count in polls if limit == 1000]
    assert len(looks) == len(polls) // (LOOK_BACK_EVERY + 1)


def test_idle_chat_takes_one_empty_query_per_poll() -> None:
    history = History(message(NOW - 3_600_000))
    tail = history.tail()
    tail.begin(1, EVERYBODY)
    history.reads.clear()
    assert history.polls(tail, 60) == []
    assert len(history.reads) == 60
    assert sum(count for *_, count in history.reads) <= 60 / LOOK_BACK_EVERY


def test_outage_is_survived_and_reported_once() -> None:
    history = History(message(NOW - 9000))
    status = RecordingStatus(history)
    stream = following(history, status)
    next(stream)
    history.faults = [
        TimeoutError("slow"),
        TimeoutError("still"),
        *[TimeoutError()] * 6,
        None,
        TimeoutError("x"),
    ]
    dates = [next(stream).date for _ in range(20)]
    assert dates == sorted(each.date for each in history.messages.values())[1 : 1 + len(dates)]
    assert status.notices == ["lost: slow", "back", "lost: x", "back"]
    bounds = [POLL_SECONDS + 0.5 * min(2.0**count, LONGEST_WAIT) for count in range(8)]
    assert status.waits[1 : 1 + len(bounds)] == bounds


def test_an_outage_at_the_beginning() -> None:
    history = History(message(NOW - 9000))
    history.faults = [TimeoutError("slow")] * 3
    status = RecordingStatus(history)
    stream = following(history, status)
    dates = [next(stream).date for _ in range(6)]
    assert dates == sorted(each.date for each in history.messages.values())[: len(dates)]
    assert status.notices == ["lost: slow", "back"]


def test_permanent_error_ends_tail() -> None:
    history = History(message(NOW - 9000))
    status = RecordingStatus(history)
    stream = following(history, status)
    next(stream)
    history.faults = [Denied()]
    with pytest.raises(Denied):
        next(stream)
    assert status.notices == []
